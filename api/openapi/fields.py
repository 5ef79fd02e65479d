"""A description of each field of the API's bodies, where its model has none.

Most fields mean the same wherever they stand. OWN has those of one model alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from api.rest.payloads import RANK_STEP
from gitstore.format.json_schema import descriptions
from gitstore.format.schema import JobtypeFields, Requirement, SoftwareVersion

FIELDS: Mapping[str, str] = {
    **descriptions(JobtypeFields),
    **descriptions(Requirement),
    **{name: text for name, text in descriptions(SoftwareVersion).items() if name != "version"},
    "author": "The name of the commit's author",
    "branch": "The branch, without refs/heads/",
    "code": "The Python source: code.py",
    "commit": "The id of the commit",
    "date": "When the commit was authored, in ISO 8601 with the author's time zone",
    "deleted": "Whether the branch is gone",
    "diff": "The unified diff",
    "email": "The e-mail address of the commit's author",
    "error": "A sentence for a person, null without an error",
    "files": "The files that differ",
    "id": "The id, which the name keeps for ever",
    "jobtype": "The jobtype's name",
    "line": "The line in the file, from 1; null where there is none",
    "max_version_id": "The id of that highest version",
    "message": "What is wrong and what to do, as a sentence",
    "min_version_id": "The id of that lowest version",
    "name": "The jobtype's name",
    "path": "A file's path in the repository",
    "says": "Why not, as a sentence; null where there is nothing to say",
    "software_id": "The id of the software",
    "software_requirements": "The software that this version needs",
    "state": "How it stands, in a word",
    "subject": "The first line of the commit's message",
    "tip": "The commit at the tip of the served branch, null before the first",
    "version": "The version's number",
    "versions": "The versions, by rank",
}
"""Descriptions by field."""

_IGNORED = "Accepted so that a GET's answer can be sent back; it has no effect"
_VERSION = "The version's string"

_SEEN = "The whole id of the change's commit that was looked at"
_WHO = {
    "author": "The name of the token that wrote it",
    "email": "The e-mail address of that token",
    "date": "When it was written, in ISO 8601",
}

OWN: Mapping[str, Mapping[str, str]] = {
    "ApprovalBody": {"commit": f"{_SEEN}: no other is approved"},
    "ApprovalRow": {
        **_WHO,
        "commit": _SEEN,
        "counts": "Whether a merge counts it: it is of the last commit, by no one who pushed",
    },
    "ApprovalsAnswer": {
        "commit": "The id of the change's last commit",
        "required": "How many approvals a merge needs",
        "missing": "How many more it needs",
        "approvals": "The approvals, those that count first",
    },
    "ChangeAnswer": {
        "merged": "Whether it is in the served branch",
        "mergeable": "Whether it merges without conflicts",
        "conflicts": "The files in which it conflicts",
        "makes": "What a merge makes, as sentences",
        "versions": "The numbers that a merge makes, by jobtype",
        "problems": "What the validator says of the merge",
        "commits": "Its commits, newest first",
    },
    "CommentAnswer": {
        **_WHO,
        "id": "The number of the comment, among all that was said of the change",
        "commit": _SEEN,
        "path": "The file that it is about, null for the whole change",
        "text": "What it says, as plain text",
    },
    "CommentBody": {
        "commit": f"{_SEEN}; left out, its last one",
        "path": "The file that it is about, null for the whole change",
        "text": "What it says, as plain text",
    },
    "DeliveredAnswer": {
        "event": "What the forge calls the event",
        "fetches": "Whether a fetch from upstream begins",
    },
    "Detail": {"path": "The dotted place in the body, or a file's path in the repository"},
    "ErrorAnswer": {
        "error": "What is wrong and what to do, as a sentence",
        "details": "Everything that is wrong with a body, if it is the body",
    },
    "FileAnswer": {"status": "Git's letter: A added, D deleted, M modified, R renamed"},
    "FollowingAnswer": {
        "state": "none, following, refused or unreachable",
        "upstream": "The upstream's URL, without a password",
        "branch": "The upstream's branch",
        "last_good_fetch_age_s": "Seconds since the last good fetch",
        "stale": "Whether that is too long ago",
        "refusal": "Why the upstream's tip is not served, as a sentence",
        "problems": "The first errors in what the upstream has",
        "problems_total": "How many errors it has",
    },
    "JobtypeBody": {
        "id": "The jobtype's id, if it is sent at all; a new jobtype has none yet",
        "version": _IGNORED,
    },
    "LiveAnswer": {"live": "Always true"},
    "MergeBody": {
        "commit": "The whole id of the commit that was looked at: no other is merged",
        "delete_branch": "Whether to delete the branch after the merge",
    },
    "MergedAnswer": {"merged": "Always true", "commit": "The id of the merge"},
    "MirrorAnswer": {
        "state": "none, in-step, pending or away",
        "database": "The URL of the master's database, without a password",
        "tip": "The commit that the tables have",
        "last_good_run_age_s": "Seconds since the last good run",
        "lag_steps": "How many steps the tables are behind",
        "drift": "Rows in the tables that the branch doesn't have",
        "conflicts": "Why a jobtype or software was left as it was, by name",
    },
    "ProblemAnswer": {"severity": "Whether it keeps the change out (error) or not (warning)"},
    "ProposedAnswer": {"review": "A link to open a pull request, null for an unknown forge"},
    "ReadyAnswer": {
        "ready": "Always true",
        "jobtypes": "How many jobtypes are served",
        "damaged": "Ids of objects that can't be read",
    },
    "RequiredSoftware": {"id": "Its id when the version was made, null if it had none"},
    "RequiredVersion": {
        "id": "Its id when the version was made, null if it had none",
        "version": _VERSION,
    },
    "RequirementAnswer": {
        "software": "The software, with its id",
        "jobtype_version": "The version of a jobtype that requires it",
    },
    "RequirementBody": dict.fromkeys(("software_id", "min_version_id", "max_version_id"), _IGNORED),
    "SoftwareVersionAnswer": {"version": _VERSION},
    "SoftwareVersionBody": {"version": _VERSION},
    "SoftwareVersionRow": {
        "version": _VERSION,
        "rank": f"The place among the versions; left out, {RANK_STEP} more than the highest before",
    },
    "SoftwareVersionRowAnswer": {"version": _VERSION},
    "UnreadyAnswer": {"ready": "Always false", "error": "Why not, as a sentence"},
}
"""Descriptions by the name of a model, and field."""


def describe(schemas: Mapping[str, dict[str, object]]) -> None:
    """Give each field in *schemas*, by the model's name, its description where it has none."""
    for model, schema in schemas.items():
        properties = schema.get("properties", {})
        assert isinstance(properties, dict)
        for name, field in properties.items():
            described = OWN.get(model, {}).get(name) or FIELDS.get(name)
            if described is not None:
                field.setdefault("description", described)
