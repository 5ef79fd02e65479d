"""The real server against schemathesis, which makes requests out of the description of the API.

It sends what the description allows and what it forbids, and holds each answer against it.
"""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from gitstore.branch.setup import create_repository, sample_path
from tests.support.depth import DEPTH, examples
from tests.support.git import git
from tests.support.server import Server

EXAMPLES = examples(1)
"""Random requests to each operation; those at the edges of each schema come on top."""

FORESEEN = {"200", "201", "204", "304", "400", "404", "405", "409", "410", "412", "413", "415"}
"""The statuses that clients without tokens can bring about."""

TOKENS = "/api/v1/tokens"

CONFIG = """
[checks.positive_data_acceptance]
# A made-up If-Match does not hold, and a made-up commit is no cursor.
expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 410, 412]

[[operations]]
# No schema can say that a body's name has to agree with the path, what all of Unicode's letters
# are, that ranks are unique, and that 1.0 is no integer.
include-operation-id-regex = "^(put|postJobtypes|postSoftware)"
checks.positive_data_acceptance.expected-statuses = ["2xx", "3xx", 400, 401, 403, 404, 409, 412]

[[operations]]
# No schema can say which lines a file has, nor that the last of them is not before the first.
include-operation-id-regex = "^getBlame"
checks.positive_data_acceptance.expected-statuses = ["2xx", "3xx", 400, 401, 403, 404]
"""
"""Where a check of schemathesis can't hold, and why."""


@pytest.fixture
def fuzzed(tmp_path, serve) -> Server:
    """A service on the sample repository with a change; it takes any text as code.

    What is Python can't be told by a schema, so nearly all code would be refused.
    """
    path = tmp_path / "sample.git"
    create_repository(path, "main", sample_path())
    git(path, "branch", "fix-tiles", "main")
    started: Server = serve(path, "--workers", "1", "--code-checks", "off")
    return started


MERGE = "/changes/{branch}/merge"
BESIDES = ("--exclude-path-regex", "^/(health|metrics|diff|preview|webhooks|jobtypes[.]git)")
"""Routes with addresses of their own, which schemathesis would look for below the API's."""
RUNS = {
    # A DELETE takes away what the others could be about, so they come first without it.
    "all but deletions": ("--exclude-path", MERGE, "--exclude-method", "DELETE"),
    "all": ("--exclude-path", MERGE),
    # A branch may be called fix/merge: other methods are about the change of that name.
    "merges": (
        *("--include-path", MERGE),
        *("--exclude-checks", "unsupported_method,allow_header_conformance"),
    ),
}
if DEPTH == 1:
    # The second is nearly the same as the first: a DELETE more. The third takes longer to start
    # than to send its few requests.
    del RUNS["all"], RUNS["merges"]


@pytest.mark.deep
@pytest.mark.farm
@pytest.mark.parametrize("options", RUNS.values(), ids=RUNS.keys())
def test_answers_to_made_up_requests_are_as_described(fuzzed, tmp_path, options):
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG)
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config)),
        *("run", f"{fuzzed.url}/api/v1/openapi.json", "--checks", "all", "--no-color", *BESIDES),
        *("--generation-deterministic", "--max-examples", str(EXAMPLES), *options),
    ]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    answers = re.findall(r" ([1-5]\d\d) [\d.]+ms \S+ (\S+)", fuzzed.log.read_text())
    # Without tokens, nobody may make the first one over HTTP.
    statuses = {status for status, path in answers if status != "403" or TOKENS not in path}
    assert {"200", "400"} <= statuses <= FORESEEN
    git(fuzzed.repo, "fsck", "--strict")
