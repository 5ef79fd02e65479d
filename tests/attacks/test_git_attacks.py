"""Git under attack: options, variables, settings, objects and links."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest

from gitstore.branch.setup import create_repository, sample_path
from tests.support.commands import jobtypes
from tests.support.git import git
from tests.support.rest import CODE

# Git


@pytest.mark.parametrize("ref", ["-x", "--upload-pack=touch ran", "--output=ran", "-"])
def test_a_ref_that_looks_like_an_option_is_no_option(farm, ref, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in (f"/preview/{quote(ref)}/api/v1/jobtypes/", f"/api/v1/changes/{quote(ref)}"):
        assert farm.get(path).status == 404
    assert not list(tmp_path.rglob("ran"))


def test_a_branch_that_looks_like_an_option_is_a_branch(farm, clone):
    worktree = clone(f"{farm.url}/jobtypes.git")

    assert worktree.push_head("origin", "HEAD:refs/heads/-x").returncode == 0

    assert farm.get("/api/v1/changes/-x").status == 200
    assert farm.get("/preview/-x/api/v1/jobtypes/").status == 200
    assert farm.request("DELETE", "/api/v1/changes/-x").status == 204


@pytest.mark.parametrize("word", ["-x", "--output=ran", "--upload-pack=touch ran", "-"])
def test_a_word_of_the_command_line_is_no_option_of_git(sample, word, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    commands = {
        "changes show": (word,),
        "changes merge": (word,),
        "summary": (word, word),
        "summary ": ("main", word),
        "log": (word,),
        "show": (word,),
        "diff": (word, "1", "2"),
        "list": (),
    }
    for command, words in commands.items():
        options = ("--repo", sample, *(() if words else (f"--branch={word}",)))
        done = jobtypes(*command.split(), *options, "--", *words)

        assert done.returncode == 1, (command, done)
    assert not list(tmp_path.rglob("ran"))


@pytest.mark.parametrize(
    "url", ["--upload-pack=touch ran", "-oProxyCommand=touch ran", "ext::touch ran", "ext::sh -c x"]
)
def test_an_upstream_that_would_run_a_program_is_refused(tmp_path, url, monkeypatch):
    repo = tmp_path / "copy.git"

    monkeypatch.chdir(tmp_path)

    done = jobtypes("serve", "--repo", repo, f"--upstream={url}", "--read-only")

    assert done.returncode in (1, 3), done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("ran"))


def test_gits_variables_are_not_inherited(sample, serve, clone, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "core.hooksPath",
            "GIT_CONFIG_VALUE_0": str(evil_hook(tmp_path / "evil")),
            "GIT_DIR": str(tmp_path / "nowhere"),
            "GIT_OBJECT_DIRECTORY": str(tmp_path / "objects"),
        }.items():
            patch.setenv(name, value)
        server = serve(sample)
    worktree = clone(f"{server.url}/jobtypes.git")
    worktree.write("jobtypes/Maya/meta.yaml", "max_batch: ten\n")

    assert "jobtypes/Maya/meta.yaml:1" in worktree.push().stderr
    assert not list(tmp_path.rglob("ran"))


def test_no_header_becomes_a_variable_of_git(farm, clone, tmp_path):
    folder = evil_hook(tmp_path / "evil")
    variables = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.hooksPath",
        "GIT_CONFIG_VALUE_0": str(folder),
        "GIT_CONFIG_PARAMETERS": f"'core.hooksPath'='{folder}'",
        "GIT_DIR": "/nowhere",
        "GIT_EXEC_PATH": str(folder),
        "JOBTYPES_HOOK": "{}",
        "PATH": str(folder),
    }
    names = {form for name in variables for form in (name, name.replace("_", "-"))}
    hostile = {name: variables[name.replace("-", "_")] for name in names}
    hostile["Git-Protocol"] = f"version=2\0core.hooksPath={folder}".replace("\0", ":")
    worktree = clone(f"{farm.url}/jobtypes.git")
    for name, value in hostile.items():
        worktree.git("config", "--add", "http.extraHeader", f"{name}: {value}")
    worktree.write("jobtypes/Maya/meta.yaml", "max_batch: ten\n")

    assert "jobtypes/Maya/meta.yaml:1" in worktree.push().stderr
    assert "refs/heads/main" in worktree.git("ls-remote", "origin")
    assert not list(tmp_path.rglob("ran"))


def evil_hook(folder: Path) -> Path:
    """A folder with a hook that lets everything pass, and leaves a trace."""
    folder.mkdir(parents=True, exist_ok=True)
    hook = folder / "pre-receive"
    hook.write_text(f"#!/bin/sh\ntouch '{folder}/ran'\n")
    hook.chmod(0o755)
    return folder


def test_the_repositorys_own_settings_switch_no_check_off(sample, serve, clone, tmp_path):
    git(sample, "config", "core.hooksPath", str(evil_hook(tmp_path / "evil")))
    git(sample, "config", "receive.fsckObjects", "false")
    git(sample, "config", "receive.denyNonFastForwards", "false")
    server = serve(sample)
    worktree = clone(f"{server.url}/jobtypes.git")
    worktree.write("jobtypes/Maya/meta.yaml", "max_batch: ten\n")

    assert "jobtypes/Maya/meta.yaml:1" in worktree.push().stderr
    assert not (tmp_path / "evil/ran").exists()


def test_what_is_pushed_configures_nothing(farm, clone, tmp_path):
    worktree = clone(f"{farm.url}/jobtypes.git")
    evil_hook(worktree.path / "hooks")
    evil_hook(worktree.path / "jobtypes/Maya/hooks")
    config = f"[core]\n\thooksPath = {worktree.path}/hooks\n\tfsmonitor = touch {tmp_path}/ran\n"
    for name in ("config", ".gitconfig", "jobtypes/Maya/config"):
        worktree.write(name, config)
    worktree.write(".gitattributes", "*.py filter=evil diff=evil merge=evil\n")

    assert worktree.push().returncode == 0
    worktree.write("jobtypes/Maya/meta.yaml", "max_batch: ten\n")

    assert "jobtypes/Maya/meta.yaml:1" in worktree.push().stderr
    assert not list(tmp_path.rglob("ran"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a repository to another user")
def test_a_repository_of_another_owner_is_refused_with_advice(sample):
    subprocess.run(["chown", "-R", "65534:65534", str(sample)], check=True)

    done = jobtypes("serve", "--repo", sample)

    assert done.returncode == 1
    assert "run this as its owner, or add it to Git's safe.directory" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a repository to another user")
def test_gits_own_programs_take_the_repository_that_the_service_took(sample, serve, monkeypatch):
    subprocess.run(["chown", "-R", "65534:65534", str(sample)], check=True)
    # As with sudo, which the service knows of and Git's programs don't.
    monkeypatch.setenv("SUDO_UID", "65534")
    server = serve(sample)

    refs = server.get("/jobtypes.git/info/refs?service=git-upload-pack")

    assert (refs.status, b"refs/heads/main" in refs.body) == (200, True)


def test_a_push_can_not_borrow_objects_from_elsewhere(farm, clone, tmp_path):
    other = tmp_path / "other.git"
    create_repository(other, "main", sample_path())
    secret = git(other, "hash-object", "-w", "--stdin", input=CODE).strip()
    worktree = clone(f"{farm.url}/jobtypes.git")
    # The TD's clone has the object by its alternates; the pack that is sent lacks it.
    (worktree.path / ".git/objects/info").mkdir(exist_ok=True)
    (worktree.path / ".git/objects/info/alternates").write_text(f"{other}/objects\n")
    worktree.git("update-index", "--add", "--cacheinfo", f"100644,{secret},jobtypes/Maya/extra.py")
    worktree.git("commit", "--quiet", "-m", "borrowed")
    names = worktree.git("rev-list", "--objects", "--no-object-names", "origin/main..HEAD").split()
    kept = "\n".join(name for name in names if name != secret) + "\n"
    pack = subprocess.run(
        ["git", "-C", str(worktree.path), "pack-objects", "--stdout", "-q"],
        input=kept.encode(),
        capture_output=True,
        check=True,
    ).stdout
    tip, head = (worktree.git("rev-parse", name).strip() for name in ("origin/main", "HEAD"))
    line = f"{tip} {head} refs/heads/main\0report-status\n".encode()
    packet = f"{len(line) + 4:04x}".encode() + line + b"0000"

    answer = farm.request(
        "POST",
        "/jobtypes.git/git-receive-pack",
        packet + pack,
        {"Content-Type": "application/x-git-receive-pack-request"},
    )

    assert b"ng refs/heads/main" in answer.body
    assert git(farm.repo, "rev-parse", "main").strip() == tip
    assert not (farm.repo / "objects/info/alternates").exists()


@pytest.mark.parametrize(
    "path", ["jobtypes/Maya", "jobtypes/Maya/meta.yaml", "software/maya.yaml", "withdrawn.yaml"]
)
def test_a_link_in_place_of_what_is_read_is_refused_to_a_push(farm, clone, path):
    worktree = clone(f"{farm.url}/jobtypes.git")
    worktree.git("rm", "-r", "--quiet", "--ignore-unmatch", path)
    (worktree.path / path).parent.mkdir(exist_ok=True)
    (worktree.path / path).symlink_to("/etc/passwd")

    result = worktree.push()

    assert result.returncode == 1
    assert path in result.stderr
    assert "symbolic link" in " ".join(result.stderr.replace("remote:", "").split())


@pytest.mark.parametrize("path", ["jobtypes/Job/code.py", "jobtypes/Job", "software/x.yaml"])
def test_a_link_in_a_folder_is_not_followed_by_a_check(tmp_path, path):
    secret = "class Precious:\n    def\n"
    for name in ("code.py", "meta.yaml"):
        (tmp_path / "outside").mkdir(exist_ok=True)
        (tmp_path / "outside" / name).write_text(secret)
    link = tmp_path / "folder" / path
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "outside" / ("" if path == "jobtypes/Job" else "code.py"))

    done = jobtypes("check", tmp_path / "folder")

    assert done.returncode == 1
    assert "symbolic link" in done.stdout
    assert "Precious" not in done.stdout + done.stderr
    assert "code.py:2" not in done.stdout
