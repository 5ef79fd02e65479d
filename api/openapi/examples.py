"""An example of each body that the API takes and gives, for its description.

They tell of one repository: a jobtype Turntable, a software clarisse that it requires, and
a change that is under review.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from api.rest import models, story_models
from api.rest.changes import MergeBody
from api.rest.comments import ApprovalBody, CommentBody
from api.rest.payloads import JOBTYPE_SCHEMA, JobtypeBody, SoftwareBody, SoftwareVersionBody
from api.rest.rollbacks import RestoreBody, RollbackBody
from api.rest.stories import WhoseBody
from api.rest.token_models import NewTokenAnswer, RotationBody, TokenAnswer, TokenBody
from api.web.errors import SENTENCES
from gitstore.format.schema import Requirement

Example = dict[str, object]

_COMMIT = "4f3929397a5e865b83086274a999d40f179699c4"
_CODE = "class Turntable:\n    pass\n"
_SHA256 = "76243878b7a5adc20bba6333855b89cb11a737d3cecec1f02b6e29c2d4c72997"
_SOFTWARE_VERSION: Example = {"id": 1, "version": "5.0", "rank": 100}

BODIES: Mapping[type[BaseModel], Example] = {
    JobtypeBody: {
        "name": "Turntable",
        "classname": "Turntable",
        "description": "Renders a turntable of an asset",
        "code": _CODE,
        "max_batch": 10,
        "software_requirements": [],
    },
    Requirement: {"software": "blender", "min_version": None},
    SoftwareBody: {"software": "clarisse", "versions": [{"version": "5.0", "rank": 100}]},
    SoftwareVersionBody: {
        "version": "99.1",
        "discovery_code": "def found():\n    return True\n",
        "discovery_function_name": "found",
    },
    CommentBody: {
        "text": "Why not in tiles?",
        "path": "jobtypes/Turntable/code.py",
        "line": 1,
    },
    ApprovalBody: {"commit": _COMMIT},
    MergeBody: {"commit": _COMMIT, "delete_branch": True},
    RollbackBody: {"version": 3},
    RestoreBody: {},
    WhoseBody: {"text": "Turntable_Turntable_v2.py:110"},
    TokenBody: {"name": "ci", "role": "write", "only": ["Turn*"], "lasts_s": 7_776_000},
    RotationBody: {"overlap_s": 3600},
}
"""A body for each model that is taken."""

_WHO: Example = {
    "author": "Ada",
    "email": "ada@studio.example",
    "date": "2024-05-06T07:08:09+00:00",
}
_LAST: Example = {"commit": _COMMIT, **_WHO, "subject": "Turntable: render in tiles"}

_ADA: Example = {"name": "Ada", "email": "ada@studio.example"}
_CREDIT: Example = {
    "commit": _COMMIT,
    "date": "2024-05-06T07:08:09+00:00",
    "authors": [_ADA],
    "subject": "Merge pull request #7 from ada/fix-tiles",
}

_TOKEN: Example = {
    "name": "ci",
    "role": "write",
    "only": ["Turn*"],
    "email": "ci@localhost",
    "created": "2024-05-06T07:08:09+00:00",
    "expires": "2024-08-04T07:08:09+00:00",
    "used": "2024-05-07",
}

ANSWERS: Mapping[type[BaseModel], Example] = {
    models.JobtypeRow: {"id": 1, "name": "Turntable"},
    models.JobtypeAnswer: {
        "id": 1,
        "name": "Turntable",
        "version": 1,
        "classname": "Turntable",
        "description": "Renders a turntable of an asset",
        "code": _CODE,
        "max_batch": 10,
        "batch_contiguous": True,
        "no_automatic_start_time": False,
        "supports_tiling": False,
        "success_subject": None,
        "success_body": None,
        "fail_subject": None,
        "fail_body": None,
        "software_requirements": [
            {
                "software": "clarisse",
                "software_id": 1,
                "min_version": "5.0",
                "min_version_id": 1,
                "max_version": None,
                "max_version_id": None,
            }
        ],
    },
    models.VersionFile: {
        "path": "code.py",
        "size": 26,
        "sha256": _SHA256,
        "executable": False,
    },
    models.NewestAnswer: {
        "id": 1,
        "name": "Turntable",
        "version": 1,
        "classname": "Turntable",
        "description": "Renders a turntable of an asset",
        "code_sha256": _SHA256,
        "max_batch": 10,
        "batch_contiguous": True,
        "no_automatic_start_time": False,
        "supports_tiling": False,
        "success_subject": None,
        "success_body": None,
        "fail_subject": None,
        "fail_body": None,
        "software_requirements": [],
    },
    models.SearchAnswer: {
        "matches": [
            {
                "jobtype": "Turntable",
                "version": 1,
                "file": "code.py",
                "line": 1,
                "excerpt": "class Turntable:",
            }
        ],
        "cut": None,
    },
    models.RequiringAnswer: {
        "jobtype": "Turntable",
        "version": 1,
        "min_version": "5.0",
        "max_version": None,
        "state": "met",
    },
    models.DiffAnswer: {
        "jobtype": "Turntable",
        "old": 1,
        "new": 2,
        "files": [
            {
                "status": "M",
                "path": "code.py",
                "old_path": None,
                "hunks": [
                    {
                        "old_start": 1,
                        "old_lines": 2,
                        "new_start": 1,
                        "new_lines": 2,
                        "lines": [" class Turntable:", "-    pass", "+    frames = 100"],
                    }
                ],
                "note": None,
            }
        ],
        "fields": {"max_batch": {"old": 1, "new": 10}},
        "requirements_added": [{"software": "clarisse", "min_version": "5.0", "max_version": None}],
        "requirements_removed": [],
    },
    models.RequirementAnswer: {
        "software": {"software": "clarisse", "id": 1},
        "min_version": {"version": "5.0", "id": 1},
        "max_version": None,
        "jobtype_version": {"version": 1, "jobtype": "Turntable"},
    },
    models.SoftwareAnswer: {"id": 1, "software": "clarisse", "versions": [_SOFTWARE_VERSION]},
    models.SoftwareVersionRowAnswer: _SOFTWARE_VERSION,
    models.SoftwareVersionAnswer: {**_SOFTWARE_VERSION, "discovery_function_name": None},
    models.Columns: {"id": JOBTYPE_SCHEMA["id"]},
    models.ChangeRow: {"branch": "fix-tiles", **_LAST},
    models.ChangeAnswer: {
        "branch": "fix-tiles",
        **_LAST,
        "merged": False,
        "mergeable": True,
        "conflicts": [],
        "makes": ["Turntable: version 2 (was 1)"],
        "versions": {"Turntable": [2]},
        "problems": [],
        "commits": [_LAST],
        "files": [{"status": "M", "path": "jobtypes/Turntable/code.py"}],
        "diff": "diff --git a/jobtypes/Turntable/code.py b/jobtypes/Turntable/code.py\n...",
    },
    story_models.StoryAnswer: {
        **_CREDIT,
        "jobtype": "Turntable",
        "number": 2,
        "before": 1,
        "state": "withdrawn",
        "out_of_service": {
            "reason": "Renders black frames",
            "by": [_ADA],
            "date": "2024-05-07T09:00:00+00:00",
            "commit": "9c1b2a7d54f0e3689ab1cd20ef74305a86b9d1e2",
        },
        "authors_complete": True,
        "merged_by": {"name": "Bo", "email": "bo@studio.example"},
        "pushed_by": None,
        "message": "Merge pull request #7 from ada/fix-tiles\n\nRender in tiles",
        "pull_request": "#7",
        "branch": "ada/fix-tiles",
        "files": [{"status": "M", "path": "code.py"}],
        "files_total": 1,
        "fields": ["supports_tiling"],
        "requirements": ["clarisse"],
        "size": 2048,
    },
    story_models.BlameAnswer: {
        "first": 110,
        "last": 114,
        "commit": _COMMIT,
        "author": _ADA,
        "date": "2024-05-06T07:08:09+00:00",
        "subject": "Turntable: render in tiles",
        "came_in": 2,
        "changed_in": None,
    },
    story_models.OriginAnswer: {
        "jobtype": "Turntable",
        "version": 2,
        "line": 110,
        "text": "        tiles = 4",
        "author": _ADA,
        "date": "2024-05-06T07:08:09+00:00",
        "commit": _COMMIT,
        "subject": "Turntable: render in tiles",
        "came_in": 2,
        "merged_by": {"name": "Bo", "email": "bo@studio.example"},
        "pull_request": "#7",
        "changed_in": None,
        "changed_by": [],
        "changed_subject": None,
        "fault": None,
    },
    story_models.EventsAnswer: {
        "events": [
            {
                **_CREDIT,
                "event": "version",
                "jobtype": "Turntable",
                "software": None,
                "id": 1,
                "number": 2,
                "state": "in service",
                "reason": None,
                "renamed_to": None,
                "versions": None,
            }
        ],
        "next": _COMMIT,
    },
    models.MergedAnswer: {
        "branch": "fix-tiles",
        "merged": True,
        "commit": _COMMIT,
        "deleted": True,
    },
    models.CommentAnswer: {
        "id": 1,
        "commit": _COMMIT,
        "path": "jobtypes/Turntable/code.py",
        "line": 1,
        "text": "Why not in tiles?",
        **_WHO,
    },
    models.ApprovalsAnswer: {
        "commit": _COMMIT,
        "required": 1,
        "missing": 0,
        "approvals": [{"commit": _COMMIT, **_WHO, "counts": True}],
    },
    models.ProposedAnswer: {
        "branch": "jobtypes/Turntable/4f3929397a",
        "commit": _COMMIT,
        "review": "https://git.studio.example/farm/jobtypes/compare/main...jobtypes",
    },
    models.LiveAnswer: {"live": True},
    models.ReadyAnswer: {"ready": True, "tip": _COMMIT, "jobtypes": 6, "damaged": []},
    models.UnreadyAnswer: {"ready": False, "error": "the repository can't be read: it is gone"},
    models.FollowingAnswer: {
        "state": "following",
        "upstream": "https://git.studio.example/farm/jobtypes.git",
        "branch": "main",
        "last_good_fetch_age_s": 12.5,
        "stale": False,
        "refusal": None,
        "error": None,
        "problems": [],
        "problems_total": 0,
    },
    models.MirrorAnswer: {
        "state": "in-step",
        "database": "postgresql://pyfarm:***@db.studio.example/pyfarm",
        "tip": _COMMIT,
        "last_good_run_age_s": 2.5,
        "lag_steps": 0,
        "drift": 0,
        "conflicts": {},
        "error": None,
    },
    TokenAnswer: _TOKEN,
    NewTokenAnswer: {**_TOKEN, "used": None, "secret": "jtr_..."},
    models.DeliveredAnswer: {"event": "push", "fetches": True},
}
"""An answer for each model that is given."""

CODE = _CODE

ERRORS: Mapping[int, str] = SENTENCES | {
    404: "there is no jobtype Turntable",
    400: "max_batch is 0; at least 1 is wanted",
    401: "writing needs a token; send a token, as Authorization: Bearer jtr_...",
    403: "this service is read-only; write to the one it follows",
    409: "there is a jobtype Turntable already",
    410: f"the commit {'1' * 40} is no step of the served branch",
    412: "it has changed since it was read; GET it again and apply the change to that",
    428: "the served branch is protected, so a merge says which commit was looked at",
    500: "the object " + _COMMIT + " is missing or damaged",
    502: "the upstream can't be reached",
    503: "too many writes at once; try again in a few seconds",
    507: "the disk is full: [Errno 28] No space left on device",
}
"""What an error of each status may say."""


def error(status: int) -> Example:
    """The body of an error; a 400 lists what is wrong."""
    said: Example = {"error": ERRORS[status]}
    if status == 410:
        said["next"] = _COMMIT
    if status == 400:
        said["details"] = [{"path": "max_batch", "message": "is 0; at least 1 is wanted"}]
    return said
