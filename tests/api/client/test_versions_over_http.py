"""The commands withdraw, restore and rollback, of a service and of a clone of it."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.asked import Farm
from tests.support.commands import Done, jobtypes
from tests.support.git import git
from tests.support.rest import Json, body, code

REASON = ("--reason", "Renders bläck, 100%")


def three(farm: Farm, name: str) -> None:
    """Versions 1 to 3 of the jobtype *name*."""
    for n in (1, 2, 3):
        farm.rest("wes", "PUT", f"/jobtypes/{name}", body(name, code=code(n)))


def newest(farm: Farm, name: str) -> Json:
    return farm.rest("ann", "GET", f"/jobtypes/{name}")


def there(farm: Farm, who: str, *words: str) -> Done:
    return jobtypes(*words, "--url", farm.url, env=farm.token(who))


def last(farm: Farm) -> str:
    return git(farm.server.repo, "log", "-1", "--format=%an <%ae> %s | %b", "main").strip()


def test_a_service_and_its_repository_do_the_same(farm):
    three(farm, "Here")
    three(farm, "There")
    steps = [
        ("rollback", "{}", "1", *REASON),
        ("withdraw", "{}@4", *REASON),
        ("withdraw", "{}@4", *REASON),
        ("restore", "{}", "v4"),
        ("restore", "{}", "v4"),
        ("rollback", "{}", "v2", *REASON),
    ]
    for step in steps:
        done = there(farm, "eve", *(word.format("There") for word in step))
        same = jobtypes(*(word.format("Here") for word in step), "--repo", farm.server.repo)

        assert (done.returncode, done.stderr) == (0, ""), done
        assert done.stdout == same.stdout.replace("Here", "There")

    assert "There: version 5 (was 4)" in done.stdout
    assert newest(farm, "There")["code"] == newest(farm, "Here")["code"] == code(2)
    log = jobtypes("log", "There@5", "--url", farm.url).stdout
    assert "authors: eve <eve@studio.example>" in log
    assert "    Renders bläck, 100%" in log


@pytest.mark.parametrize(
    "words",
    [
        ("rollback", "Refused", "3", *REASON),
        ("rollback", "Refused", "9", *REASON),
        ("withdraw", "Refused", "9", *REASON),
        ("restore", "Refused", "9"),
        ("withdraw", "Refusd", "1", *REASON),
        ("restore", "Refusd", "1"),
        ("rollback", "Refusd", "1", *REASON),
        ("rollback", "Refused", "1", "--reason", " "),
    ],
)
def test_what_is_refused_is_refused_in_the_same_words(farm, words):
    if "Refused" not in str(farm.rest("ann", "GET", "/jobtypes/")):
        three(farm, "Refused")

    done = there(farm, "eve", *words)
    same = jobtypes(*words, "--repo", farm.server.repo)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == same.stderr


def test_each_requirement_that_left_the_catalogue_is_named(farm):
    for name in ("this", "that"):
        farm.rest("wes", "POST", "/software/", {"software": name})
    needs = [{"software": "this"}, {"software": "that"}]
    farm.rest("wes", "PUT", "/jobtypes/Dry", body("Dry", software_requirements=needs))
    farm.rest("wes", "PUT", "/jobtypes/Dry", body("Dry", software_requirements=[]))
    for name in ("this", "that"):
        farm.rest("eve", "DELETE", f"/software/{name}")

    done = there(farm, "wes", "rollback", "Dry", "1", *REASON)
    same = jobtypes("rollback", "Dry", "1", *REASON, "--repo", farm.server.repo)

    assert (done.returncode, done.stdout) == (1, "")
    for line, name in ((5, "this"), (6, "that")):
        said = f"jobtypes/Dry/meta.yaml:{line}: {{}}the software {name} is not in the catalogue"
        assert said.format("") in done.stderr
        assert said.format("error: ") in same.stderr


def test_who_may_do_what(farm):
    three(farm, "Guarded")

    assert "role write" in there(farm, "ann", "rollback", "Guarded", "1", *REASON).stderr
    for command in ("withdraw", "restore"):
        if command == "restore":
            there(farm, "eve", "withdraw", "Guarded", "2", *REASON)
        assert "role admin" in there(farm, "wes", command, "Guarded", "2", *REASON).stderr
    done = there(farm, "wes", "rollback", "Guarded", "1", *REASON)
    assert done.stdout == "Guarded: version 4 (was 3)\n"
    assert last(farm).startswith("wes <wes@studio.example> Guarded: roll back to version 1, ")


def test_a_clone_rolls_back_at_the_service_that_it_came_from(farm, clone, kept, monkeypatch):
    farm.keep("wes", kept)
    three(farm, "Cloned")
    worktree = clone(f"{farm.url}/jobtypes.git")
    monkeypatch.chdir(worktree.path / "jobtypes")

    done = jobtypes("rollback", "Cloned", "1", *REASON)

    assert (done.returncode, done.stdout) == (0, "Cloned: version 4 (was 3)\n")
    assert f"asking {farm.url}, where this clone came from" in done.stderr
    worktree.git("pull", "--quiet")
    assert code(1) == (worktree.path / "jobtypes" / "Cloned" / "code.py").read_text()


def test_a_clone_of_no_service_is_told_what_to_type(farm, clone):
    three(farm, "Typed")
    worktree = clone(farm.server.repo)
    worktree.write("jobtypes/Typed/more.py", "more = 1\n")
    worktree.commit("more\n")
    words = ("Typed", "1", "--reason", "Renders 'black'", "--repo", worktree.path)

    done = jobtypes("rollback", *words)

    assert (done.returncode, done.stdout) == (1, "")
    assert "Name the service, as in --url http://farm:8080" in done.stderr
    typed = [line.strip() for line in done.stderr.splitlines() if line.startswith("  git ")]
    subprocess.run(["sh", "-ec", "\n".join(typed)], cwd=worktree.path / "jobtypes", check=True)
    assert newest(farm, "Typed")["code"] == code(1)
    assert "Typed: roll back to version 1 | Renders 'black'" in last(farm)
    assert git(farm.server.repo, "ls-tree", "--name-only", "main:jobtypes/Typed").split() == [
        *("code.py", "meta.yaml"),
    ]
    assert "Name the service" in jobtypes("withdraw", *words).stderr


def test_an_id_names_the_jobtype(farm):
    three(farm, "ById")
    id = newest(farm, "ById")["id"]

    assert there(farm, "eve", "withdraw", str(id), "3", *REASON).stdout == (
        "ById: version 3 withdrawn\n"
    )
