"""Thousands of versions, branches and previews: what lists of them cost."""

from __future__ import annotations

import re

import pytest

from api.app import create_app
from api.config import Config
from gitstore.branch.reviews import Reviews
from gitstore.branch.store import Store
from gitstore.catalogue.layered import Layered
from gitstore.git.refs import Refs
from tests.support.branches import Branch, jobtype
from tests.support.git import git

VERSIONS = 250


def fill(branch: Branch, versions: int, jobtypes: int = 1, branches: int = 0) -> None:
    """Make *versions* of each of some jobtypes, and branches, faster than one by one."""
    lines = ["blob", "mark :1", "data 15", "classname: Job", ""]

    def commit(ref: str, mark: int, onto: int, names: list[str]) -> None:
        lines.extend([f"commit {ref}", f"mark :{mark}", f"committer td <td@x> {mark} +0000"])
        lines.extend(["data 2", "m", *([f"from :{onto}"] if onto else [])])
        for name in names:
            code = f"class Job: n = {mark}\n"
            lines.extend([f"M 100644 inline jobtypes/{name}/code.py", f"data {len(code)}", code])
            lines.append(f"M 100644 :1 jobtypes/{name}/meta.yaml")

    for number in range(versions):
        last = number + 9 if number else 0
        commit("refs/heads/main", number + 10, last, [f"J{n}" for n in range(jobtypes)])
    for number in range(branches):
        commit(f"refs/heads/b{number:03}", versions + number + 10, versions + 9, ["J0"])
    git(branch.path, "fast-import", "--quiet", input="\n".join(lines) + "\n")


def numbers(page: str) -> list[int]:
    history = page.partition('id="history"')[2]
    return [int(number) for number in re.findall(r">([0-9]+)</a> <span", history)]


def test_versions_are_listed_whole_and_their_directories_are_read_once(branch):
    fill(branch, VERSIONS)
    store = Store(branch.path)
    catalogue = store.catalogue()
    reads: list[str] = []
    read = store.repository.read_blob
    store.repository.read_blob = lambda id: (reads.append(id), read(id))[1]  # type: ignore[method-assign]

    first = [v.number for v in catalogue.versions(catalogue.jobtype("J0"))]
    read_once = len(reads)
    second = [v.number for v in catalogue.versions(catalogue.jobtype("J0"))]

    assert first == second == list(range(1, VERSIONS + 1))
    assert VERSIONS <= read_once == len(reads)


def test_broken_and_withdrawn_versions_stay_out_of_the_list(branch):
    branch.commit(jobtype("A"))
    branch.commit({"jobtypes/A/code.py": b"\xff\n"})
    branch.commit(jobtype("A", "    n = 3\n"))
    branch.commit({"withdrawn.yaml": "A: [3]\n", **jobtype("A", "    n = 4\n")})
    client = create_app(Config(branch.path)).test_client()

    for _ in range(2):
        assert client.get("/api/v1/jobtypes/A/versions/").json == [1, 4]


def test_a_long_history_is_shown_page_by_page(branch):
    fill(branch, VERSIONS)
    client = create_app(Config(branch.path)).test_client()
    shown: list[int] = []
    path: str | None = "/jobtypes/J0"
    while path:
        answer = client.get(path)
        assert (
            client.get(path, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
        )
        shown += numbers(answer.text)
        assert len(numbers(answer.text)) <= 100
        older = re.search(r'href="([^"]+)">older', answer.text)
        path = older and older[1]
    middle = client.get("/jobtypes/J0?before=151").text

    assert shown == list(range(VERSIONS, 0, -1))
    assert "51 to 150 of 250 versions" in middle
    assert 'href="/jobtypes/J0">newest' in middle
    assert "changes since 50</a>" in middle
    assert client.get("/jobtypes/J0?before=x").status_code == 200


@pytest.mark.parametrize("place", ["/changes/", "/"])
def test_many_changes_and_jobtypes_are_shown_page_by_page(branch, place):
    fill(branch, 1, jobtypes=230, branches=230)
    client = create_app(Config(branch.path)).test_client()
    seen: list[str] = []
    path: str | None = place
    while path:
        text = client.get(path).text
        found = re.findall(r'<th scope="row"><a href="[^"]*">([bJ][0-9]+)</a>', text)
        assert len(found) <= 100
        seen += found
        more = re.search(r'href="([^"]+)">more', text)
        path = more and more[1]

    assert len(seen) == len(set(seen)) == 230


def test_many_branches_are_not_looked_up_one_by_one(branch, monkeypatch):
    fill(branch, 1, branches=230)
    git(branch.path, "symbolic-ref", "refs/heads/also", "refs/heads/main")
    tree = git(branch.path, "rev-parse", "main^{tree}")
    (branch.path / "refs" / "heads" / "tree").write_text(tree)
    looked: list[str] = []
    fault = Refs.branch_fault
    monkeypatch.setattr(
        Refs, "branch_fault", lambda refs, ref, id: (looked.append(ref), fault(refs, ref, id))[1]
    )

    branches = Store(branch.path).repository.branches()

    assert len(branches) == 231
    assert looked == ["refs/heads/tree"]


def test_previews_share_what_does_not_differ(branch):
    fill(branch, 3, jobtypes=300, branches=20)
    store = Store(branch.path)
    base = store.catalogue()
    reviews = Reviews(store)

    for number in range(20):
        preview = reviews.preview(f"b{number:03}").history
        assert preview.jobtypes["J0"].versions[:-1] == base.history.jobtypes["J0"].versions
        assert preview.jobtypes["J1"] is base.history.jobtypes["J1"]
        assert preview.numbers is base.history.numbers
        assert preview.software is base.history.software
        assert len(preview.jobtypes) == len(list(preview.jobtypes)) == 300


def test_previews_of_an_older_tip_are_let_go(branch):
    fill(branch, 1, branches=1)
    store = Store(branch.path)
    reviews = Reviews(store)
    before = reviews.preview("b000")
    branch.tip = git(branch.path, "rev-parse", "main").strip()
    branch.commit(jobtype("New"))

    after = reviews.preview("b000")

    assert after is not before
    assert "New" in after.history.jobtypes


def test_a_layered_mapping_says_what_a_copy_would():
    base = {"a": 1, "b": 2, "c": 3}
    layered = Layered(base, ["b"], {"c": 4, "d": 5})

    assert dict(layered) == {"a": 1, "c": 4, "d": 5}
    assert len(layered) == 3
    assert layered.get("b") is None
    with pytest.raises(KeyError):
        layered["b"]
