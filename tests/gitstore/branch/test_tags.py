"""Versions as tags: a projection that is rebuilt if it is not whole."""

from __future__ import annotations

from gitstore.branch.store import Store
from tests.support.branches import REF, TD, jobtype
from tests.support.git import git


def tags(path) -> dict[str, str]:
    """The commit of each tag by its name."""
    lines = git(path, "for-each-ref", "--format=%(refname:short) %(*objectname)", "refs/tags")
    return dict(line.split(" ") for line in lines.splitlines())


def test_each_version_is_an_annotated_tag_of_the_commit_that_made_it(branch):
    first = branch.commit(jobtype("A"))
    second = branch.commit({"jobtypes/A/notes.txt": "x"} | jobtype("B"))

    assert Store(branch.path).publish_tags() == 3

    assert tags(branch.path) == {"A/v1": first, "A/v2": second, "B/v1": second}
    said = git(branch.path, "cat-file", "tag", "A/v2")
    assert "tagger Jobtype repository <jobtypes@localhost>" in said
    assert said.endswith("\n\nA version 2\n")


def test_published_again_nothing_is_made(branch):
    branch.commit(jobtype("A"))
    store = Store(branch.path)
    store.publish_tags()
    before = git(branch.path, "for-each-ref")

    assert store.publish_tags() == 0
    assert Store(branch.path).publish_tags() == 0
    assert git(branch.path, "for-each-ref") == before


def test_two_replicas_make_the_same_tag_objects(branch, tmp_path):
    branch.commit(jobtype("A"))
    git(tmp_path, "clone", "--quiet", "--mirror", str(branch.path), "replica.git")
    for path in (branch.path, tmp_path / "replica.git"):
        Store(path).publish_tags()

    one, other = (git(path, "for-each-ref") for path in (branch.path, tmp_path / "replica.git"))
    assert one == other


def test_a_tag_that_is_there_never_moves(branch):
    first = branch.commit(jobtype("A"))
    branch.commit({"jobtypes/A/notes.txt": "x"})
    git(branch.path, "update-ref", "refs/tags/A/v2", first)

    Store(branch.path).publish_tags()

    assert git(branch.path, "rev-parse", "A/v2").strip() == first


def test_tags_that_were_deleted_come_back_at_the_next_start(branch):
    branch.commit(jobtype("A"))
    store = Store(branch.path)
    store.publish_tags()
    before = tags(branch.path)
    git(branch.path, "tag", "-d", "A/v1")

    assert Store(branch.path).publish_tags() == 1
    assert tags(branch.path) == before


def test_deleted_and_withdrawn_versions_keep_their_tags(branch):
    first = branch.commit(jobtype("A") | jobtype("B"))
    branch.commit({path: None for path in jobtype("A")} | {"withdrawn.yaml": "B: [1]\n"})

    Store(branch.path).publish_tags()

    assert tags(branch.path) == {"A/v1": first, "B/v1": first}


def test_many_versions_at_once_are_all_tagged_and_counted_meanwhile(branch):
    for number in range(6):
        files = {}
        for n in range(100):
            files |= jobtype(f"J{n}", f"# {number}\n")
        branch.commit(files)
    counted = []

    assert Store(branch.path).publish_tags(lambda *count: counted.append(count)) == 600
    assert len(tags(branch.path)) == 600
    assert counted == [(0, 600), (500, 600)]
    git(branch.path, "fsck", "--strict", "--no-dangling")


def test_a_tag_whose_object_is_gone_is_rebuilt(branch):
    branch.commit(jobtype("A"))
    store = Store(branch.path)
    store.publish_tags()
    before = git(branch.path, "rev-parse", "refs/tags/A/v1").strip()
    git(branch.path, "repack", "-a", "-d", "--quiet")
    path = branch.path / "refs/tags/A/v1"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("1" * 40 + "\n")

    assert Store(branch.path).publish_tags() == 1
    assert git(branch.path, "rev-parse", "refs/tags/A/v1").strip() == before


def test_a_name_with_spaces_and_dots_has_a_tag_that_git_takes(branch):
    names = ["Old Maya", "a..b", "x.lock", "-dash", "@", "Caméra"]
    for name in names:
        branch.commit(jobtype(name))

    made = Store(branch.path).publish_tags()

    served = {j.name for j in Store(branch.path, REF).catalogue().jobtypes()}
    assert made == len(tags(branch.path)) == len(served) > 0
    for tag in tags(branch.path):
        git(branch.path, "check-ref-format", f"refs/tags/{tag}")


def test_the_author_of_a_version_is_its_commits_and_not_the_tags(branch):
    branch.commit(jobtype("A"))
    Store(branch.path).publish_tags()

    assert git(branch.path, "log", "-1", "--format=%an", "A/v1").strip() == TD.name
