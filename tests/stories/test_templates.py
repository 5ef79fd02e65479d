"""The CI templates of sample_repo: their commands, run on a clone as the forges run them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitstore.branch.setup import sample_path
from tests.support.git import Worktree, git

pytestmark = pytest.mark.farm

WORKFLOWS = [".github/workflows/jobtypes.yml", ".gitea/workflows/jobtypes.yml"]
GITLAB = ".gitlab-ci.yml"
BAD = "classname: Command\nmax_batch: ten\n"


def template(name: str) -> Any:
    return yaml.safe_load((sample_path() / name).read_text("ascii"))


def steps(name: str, job: str = "check") -> dict[str, str]:
    """The commands of a workflow's job, by the names of its steps."""
    found = template(name)["jobs"][job]["steps"]
    return {step["name"]: step["run"] for step in found if "run" in step}


Request = Callable[..., Worktree]


@pytest.fixture
def request_of(sample, clone) -> Request:
    """A clone as a forge makes it for a pull request: HEAD is a commit on no branch.

    *others* are files of the branch that it is for.
    """

    def make(files: dict[str, str], others: dict[str, str] | None = None) -> Worktree:
        worktree: Worktree = clone(sample)
        if others:
            for name, content in others.items():
                worktree.write(name, content)
            worktree.commit()
            worktree.git("push", "--quiet", "origin", "HEAD:main")
        # A runner fetches what it needs, so nothing says which branch the remote's HEAD names.
        worktree.git("remote", "set-head", "origin", "--delete")
        worktree.git("checkout", "--quiet", "-b", "topic")
        for name, content in files.items():
            worktree.write(name, content)
        worktree.commit()
        worktree.git("checkout", "--quiet", "--detach")
        worktree.git("branch", "--quiet", "-D", "main", "topic")
        return worktree

    return make


def run(worktree: Worktree, command: str, **env: str) -> subprocess.CompletedProcess[str]:
    """What a runner makes of *command*, with the checker installed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", command],
        cwd=worktree.path,
        env={**os.environ, "PATH": path, **env},
        capture_output=True,
        text=True,
        check=False,
    )


def changed(name: str = "Command") -> dict[str, str]:
    """A good change of a jobtype."""
    path = f"jobtypes/{name}/code.py"
    return {path: (sample_path() / path).read_text() + "\nMARK = 1\n"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflows_run_for_pull_requests_with_the_whole_history(name):
    parsed = template(name)

    # YAML 1.1 reads the key `on` as a truth value.
    assert "pull_request" in parsed[True]
    for job in parsed["jobs"].values():
        checkout = next(s for s in job["steps"] if s.get("uses", "").startswith("actions/che"))
        assert checkout["with"] == {"fetch-depth": 0, "persist-credentials": False}
    assert list(steps(name)) == ["Install", "Check", "Summary"]
    assert list(steps(name, "test")) == ["Install", "Test", "Commands"]
    assert "$JOBTYPES_PACKAGE" in steps(name)["Install"]


@pytest.mark.parametrize("name", [*WORKFLOWS, GITLAB])
def test_only_the_job_without_secrets_runs_what_is_proposed(name):
    text = (sample_path() / name).read_text("ascii")
    runs = ("jobtypes test", "summary --cases")

    assert "secrets." not in text
    if name == GITLAB:
        script = "\n".join(template(name)["jobtypes"]["script"])
    else:
        script = "\n".join(steps(name).values())
    assert not any(words in script for words in runs)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflows_test_a_change_and_say_which_commands_it_changes(request_of, tmp_path, name):
    code = (sample_path() / "jobtypes/Nuke/code.py").read_text()
    worktree = request_of({"jobtypes/Nuke/code.py": code.replace('"nuke"', '"nuke16"')})
    page = tmp_path / "summary.md"
    env = {"GITHUB_BASE_REF": "main", "GITHUB_STEP_SUMMARY": str(page)}

    tested = run(worktree, steps(name, "test")["Test"])
    summed = run(worktree, steps(name, "test")["Commands"], **env)

    assert tested.returncode == 1
    assert "-nuke -F 5 -X Write1 /show/a.nk\n+nuke16 -F 5 -X" in tested.stdout
    assert summed.returncode == 0, summed.stderr
    said = page.read_text() if page.exists() else summed.stdout
    assert "Nuke: 2 of 2 cases run other commands\n" in said
    assert "  +nuke16 -F 5 -X Write1 /show/a.nk\n" in said


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflows_annotate_the_line_of_a_bad_change_and_fail(request_of, name):
    worktree = request_of({"jobtypes/Command/meta.yaml": BAD})

    done = run(worktree, steps(name)["Check"])

    assert done.returncode == 1
    place = r"^::error file=jobtypes/Command/meta\.yaml,line=2,title=[a-z-]+::.*max_batch"
    assert re.search(place, done.stdout, re.M)


OLD = {"jobtypes/Nuke/code.py": "def broken(:\n"}
OTHERS = "in what you didn't change: 1 error, 0 warnings; --all shows them\n"


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflows_count_old_faults_of_others_which_fail_the_branch_alone(request_of, name):
    worktree = request_of(changed(), OLD)

    proposed = run(worktree, steps(name)["Check"], GITHUB_BASE_REF="main")
    pushed = run(worktree, steps(name)["Check"])

    assert proposed.returncode == 0, proposed.stdout
    assert proposed.stderr.endswith(OTHERS)
    assert pushed.returncode == 1
    assert "file=jobtypes/Nuke/code.py,line=1" in pushed.stdout


def test_gitlabs_job_counts_old_faults_of_others_which_fail_the_branch_alone(request_of):
    worktree = request_of(changed(), OLD)

    proposed = gitlab(worktree)
    pushed = gitlab(worktree, target="")

    assert proposed.returncode == 0, proposed.stderr
    assert OTHERS in proposed.stderr
    assert pushed.returncode == 1


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflows_pass_a_good_change_and_say_what_it_makes(request_of, tmp_path, name):
    worktree = request_of(changed())
    page = tmp_path / "summary.md"

    checked = run(worktree, steps(name)["Check"])
    summed = run(
        worktree, steps(name)["Summary"], GITHUB_BASE_REF="main", GITHUB_STEP_SUMMARY=str(page)
    )

    assert checked.returncode == 0, checked.stdout
    assert summed.returncode == 0, summed.stderr
    said = page.read_text() if page.exists() else summed.stdout
    assert "Command: version 2 (was 1)\n" in said


def test_the_summary_is_still_said_of_a_bad_change(request_of, tmp_path):
    worktree = request_of({"jobtypes/Command/meta.yaml": BAD, **changed("Nuke")})
    page = tmp_path / "summary.md"

    done = run(
        worktree,
        steps(WORKFLOWS[0])["Summary"],
        GITHUB_BASE_REF="main",
        GITHUB_STEP_SUMMARY=str(page),
    )

    assert done.returncode == 0, done.stderr
    said = page.read_text()
    assert "Nuke: version 2 (was 1)" in said
    assert "jobtypes/Command/meta.yaml:2" in said
    assert said.count("```") == 2


def gitlab(
    worktree: Worktree, job: str = "jobtypes", target: str = "main"
) -> subprocess.CompletedProcess[str]:
    """What GitLab's runner makes of the job's script, without what installs the checker."""
    script = template(GITLAB)[job]["script"]
    install, *rest = script
    assert "pip install" in install
    command = "\n".join(rest)
    return run(
        worktree, command, CI_MERGE_REQUEST_TARGET_BRANCH_NAME=target, CI_DEFAULT_BRANCH="main"
    )


def report(worktree: Worktree) -> list[Any]:
    job = template(GITLAB)["jobtypes"]
    found: list[Any] = json.loads(
        (worktree.path / job["artifacts"]["reports"]["codequality"]).read_text()
    )
    return found


def test_gitlabs_job_reports_the_line_of_a_bad_change_and_fails(request_of):
    worktree = request_of({"jobtypes/Command/meta.yaml": BAD})
    worktree.git("update-ref", "-d", "refs/remotes/origin/main")

    done = gitlab(worktree)

    assert done.returncode == 1
    assert "jobtypes/Command/meta.yaml:2: " in done.stdout
    (problem,) = [row for row in report(worktree) if row["severity"] == "critical"]
    assert problem["location"] == {"path": "jobtypes/Command/meta.yaml", "lines": {"begin": 2}}
    assert "max_batch" in problem["description"]
    assert problem["fingerprint"]


def test_gitlabs_job_passes_a_good_change_and_says_what_it_makes(request_of):
    worktree = request_of(changed())

    done = gitlab(worktree)

    assert done.returncode == 0, done.stderr
    assert "Command: version 2 (was 1)" in done.stdout
    assert report(worktree) == []
    tested = gitlab(worktree, "jobtypes-test")
    assert tested.returncode == 0, tested.stdout
    assert "Command: 0 of 1 cases run other commands" in tested.stdout


def test_gitlabs_job_is_for_merge_requests_with_the_whole_history():
    job = template(GITLAB)["jobtypes"]

    assert any("merge_request_event" in rule["if"] for rule in job["rules"])
    assert job["variables"]["GIT_DEPTH"] == "0"
    assert job["artifacts"]["when"] == "always"


def test_code_owners_name_paths_that_are_there_or_may_come():
    lines = (sample_path() / ".github" / "CODEOWNERS").read_text("ascii").splitlines()
    rows = [line.split() for line in lines if line and not line.startswith("#")]

    assert len(rows) > 3
    for pattern, *owners in rows:
        assert owners
        assert all(re.fullmatch(r"@studio/[a-z]+", owner) for owner in owners)
        path = sample_path() / pattern.strip("/")
        assert pattern in ("*", "/withdrawn.yaml") or path.exists(), pattern


def test_a_repository_made_from_the_sample_has_the_templates_and_no_caches(sample):
    names = git(sample, "ls-tree", "-r", "--name-only", "main").splitlines()

    assert {*WORKFLOWS, GITLAB, ".github/CODEOWNERS", ".gitattributes"} <= set(names)
    assert not [name for name in names if "cache" in name or name.endswith(".pyc")]
