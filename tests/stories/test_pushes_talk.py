"""What a good push says: of a branch, what merging it would make; of a merge, who wrote it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitstore.branch.setup import create_repository, sample_path
from gitstore.branch.store import Store
from gitstore.catalogue.preview import PREVIEW_FIRST
from hooks.install import RECEIVING, install_hooks
from hooks.progress import Progress
from hooks.settings import HookSettings
from tests.support.commands import jobtypes
from tests.support.git import Worktree, git, remote_lines


@pytest.fixture(scope="module")
def hooked(tmp_path_factory) -> Path:
    """The same without a service, and with installed hooks."""
    repo: Path = tmp_path_factory.mktemp("hooked") / "hooked.git"
    create_repository(repo, "main", sample_path())
    install_hooks(repo / "hooks", RECEIVING, HookSettings())
    return repo


@pytest.fixture
def by_path(hooked, clone) -> Worktree:
    """A clone of that."""
    made: Worktree = clone(hooked)
    return made


def taken(result: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines of the service, of a push that succeeded."""
    assert result.returncode == 0, result.stderr
    return remote_lines(result)


def change(td: Worktree, name: str, text: str = "") -> None:
    """Append to the code of jobtype *name*."""
    path = f"jobtypes/{name}/code.py"
    td.write(path, f"{(td.path / path).read_text()}# {text}\n")


# A branch


def test_a_branch_is_answered_with_what_merging_it_would_make_and_where_to_look(farm, td):
    change(td, "Blender")
    td.write("jobtypes/Fresh/code.py", "class Fresh:\n    pass\n")
    td.write("jobtypes/Fresh/meta.yaml", "classname: Fresh\n")

    lines = taken(td.push("origin", "HEAD:refs/heads/looks/tiles"))

    assert lines[:3] == [
        "Merging looks/tiles into main would make:",
        "  Blender: version 2 (was 1)",
        "  Fresh: new jobtype, version 1",
    ]
    page = f"{farm.url}/changes/looks/tiles"
    assert lines[-2:] == ["Review it:", f"  {page}"]
    makes = farm.get("/api/v1/changes/looks/tiles").json["makes"]
    assert [f"  {sentence}" for sentence in makes] == lines[1:3]
    tries = re.findall(r"Try (\w+), as version (\d+):\n  (\S+)", "\n".join(lines))
    assert [name for name, _, _ in tries] == ["Blender", "Fresh"]
    for name, number, url in tries:
        preview = farm.get(url.removeprefix(farm.url)).json
        assert (preview["name"], preview["version"]) == (name, int(number))
        assert int(number) >= PREVIEW_FIRST
        assert number.encode() in farm.get("/changes/looks/tiles").body


def test_a_branch_that_is_behind_is_merged_first(td, clone, farm):
    other = clone(f"{farm.url}/jobtypes.git")
    change(other, "Nuke")
    other.push()
    change(td, "Maya")

    lines = taken(td.push("origin", "HEAD:refs/heads/behind"))

    assert lines[1] == "  Maya: version 2 (was 1)"
    assert not any("Nuke" in line for line in lines)


def test_a_branch_next_to_the_served_one_is_merged_into_what_that_becomes(by_path):
    change(by_path, "Houdini")
    by_path.commit()
    by_path.git("switch", "--quiet", "-c", "next")
    change(by_path, "FFmpeg")
    by_path.commit()

    lines = taken(by_path.push("origin", "main", "next"))

    assert [line.split(" version")[0] for line in lines] == [
        "Houdini:",
        "Merging next into main would make:",
        "  FFmpeg:",
    ]


def test_a_conflict_is_a_warning_and_the_advice_shows_it(td, clone, farm):
    other = clone(f"{farm.url}/jobtypes.git")
    change(other, "Houdini", "theirs")
    other.push()
    change(td, "Houdini", "ours")
    td.git("switch", "--quiet", "-c", "clash")

    lines = taken(td.push("origin", "clash"))

    assert lines == [
        "clash is taken, with a warning: it conflicts with main in",
        "  jobtypes/Houdini/code.py",
        "Merge main into it, and push again:",
        "    git pull --no-rebase origin main",
        "Review it:",
        f"  {farm.url}/changes/clash",
    ]
    advice = lines[3].split()
    pulled = subprocess.run([*advice], cwd=td.path, capture_output=True, text=True, check=False)
    assert "CONFLICT (content): Merge conflict in jobtypes/Houdini/code.py" in pulled.stdout


def test_what_main_would_refuse_comes_first_and_is_not_to_be_tried(td):
    td.write("jobtypes/Maya/meta.yaml", "max_batch: ten\n")

    lines = taken(td.push("origin", "HEAD:refs/heads/bad"))

    assert lines[0] == "bad is taken; main would refuse this:"
    assert lines[1].startswith("jobtypes/Maya/meta.yaml:1: max_batch")
    assert "Review it:" in lines
    assert not any(line.startswith("Try") for line in lines)


def test_a_dry_run_of_a_branch_names_no_page_that_is_not_there(td):
    change(td, "Blender", "dry")

    result = td.push("-o", "dry-run", "origin", "HEAD:refs/heads/dry")

    assert "Merging dry into main would make:" in result.stderr
    assert "/changes/" not in result.stderr
    assert "/preview/" not in result.stderr


def test_many_jobtypes_are_counted_and_not_listed(td):
    for n in range(45):
        td.write(f"jobtypes/Many{n:02}/code.py", f"class Many{n:02}:\n    pass\n")
        td.write(f"jobtypes/Many{n:02}/meta.yaml", f"classname: Many{n:02}\n")

    lines = taken(td.push("origin", "HEAD:refs/heads/many"))

    assert "  ... and 15 more" in lines
    assert "  ... and the others in the same way" in lines
    assert len(lines) < 45


def test_several_branches_share_the_lines_and_most_are_only_counted(td, farm):
    change(td, "Blender", "several")
    td.commit()

    refs = [f"HEAD:refs/heads/several{n}" for n in range(7)]
    lines = taken(td.push("origin", *refs))

    assert sum(line.startswith("Merging several") for line in lines) == 5
    assert lines[-2:] == [
        "... and 2 more branches, which were not looked at; see",
        f"  {farm.url}/changes/",
    ]


def test_a_deletion_says_whether_anything_is_lost_and_how_to_have_it_back(td):
    change(td, "Blender", "gone")
    tip = td.commit()
    refs = ("origin/main:refs/heads/nothing", "HEAD:refs/heads/it's-gone")
    pushed = taken(td.push("origin", *refs))

    lines = taken(td.push("origin", "--delete", "nothing", "it's-gone"))

    assert "nothing has nothing that main lacks." in pushed
    assert "nothing is deleted; main has all of it." in lines
    at = lines.index("it's-gone is deleted, and was not merged. To have it back:")
    subprocess.run(lines[at + 1].strip(), cwd=td.path, shell=True, check=True, capture_output=True)
    assert tip in td.git("ls-remote", "origin", "refs/heads/it's-gone")


def test_a_first_branch_says_that_the_served_one_is_still_to_come(empty, worktree):
    install_hooks(empty / "hooks", RECEIVING, HookSettings())
    worktree.write("jobtypes/Fresh/code.py", "class Fresh:\n    pass\n")
    worktree.write("jobtypes/Fresh/meta.yaml", "classname: Fresh\n")

    lines = taken(worktree.push("origin", "HEAD:refs/heads/first"))

    assert lines[-1] == "main has no commit yet; push it first."


@pytest.fixture
def other_hook(hooked) -> Iterator[Path]:
    """The hook, which is as it was after the test."""
    hook: Path = hooked / "hooks" / "pre-receive"
    before = hook.read_text()
    yield hook
    hook.write_text(before)


@pytest.mark.usefixtures("other_hook")
def test_a_push_by_path_has_links_only_if_the_address_was_said(by_path, hooked):
    change(by_path, "Blender", "one")
    plain = taken(by_path.push("origin", "HEAD:refs/heads/one"))
    url = "https://jobtypes.studio.example/farm"
    done = jobtypes("hooks", "install", "--repo", hooked, "--public-url", f"{url}/")
    assert done.returncode == 0
    change(by_path, "Blender", "two")

    linked = taken(by_path.push("origin", "HEAD:refs/heads/two"))

    assert plain == ["Merging one into main would make:", "  Blender: version 2 (was 1)"]
    assert linked[:2] == ["Merging two into main would make:", "  Blender: version 2 (was 1)"]
    assert linked[-1] == f"  {url}/changes/two"
    assert linked[3] == f"  {url}/preview/two/api/v1/jobtypes/Blender"


def test_a_fault_in_what_is_said_leaves_the_push_good(by_path, hooked, other_hook):
    other_hook.write_text(re.sub(r'("jobtypes_limit": )\d+', r'\1"many"', other_hook.read_text()))
    change(by_path, "Blender", "odd")

    lines = taken(by_path.push("origin", "HEAD:refs/heads/odd"))

    assert lines == ["odd is taken; what merging it makes could not be computed."]
    assert "TypeError" in (hooked / "jobtypes" / "hooks.log").read_text()
    assert git(hooked, "rev-parse", "odd") == by_path.git("rev-parse", "HEAD")


# A merge, on the served branch

ANN, BOB = "Ann Lee <ann@studio.example>", "Bob Roy <bob@studio.example>"


def commit(td: Worktree, author: str, name: str) -> None:
    """Commit a change of jobtype *name* that *author* made."""
    change(td, name, author)
    td.git("commit", "--quiet", "-a", "--author", author, "-m", f"{name}: change")


def test_a_merge_in_the_style_of_github_names_the_authors_of_each_jobtype(by_path):
    by_path.git("switch", "--quiet", "-c", "side")
    for author, name in ((ANN, "Nuke"), (BOB, "Nuke"), (BOB, "Maya")):
        commit(by_path, author, name)
    by_path.git("switch", "--quiet", "main")
    message = "Merge pull request #7 from studio/side"
    by_path.git("merge", "--quiet", "--no-ff", "-m", message, "side")
    commit(by_path, "Test TD <td@studio.example>", "FFmpeg")

    assert taken(by_path.push_head()) == [
        "FFmpeg: version 2 (was 1)",
        "Maya: version 2 (was 1), by Bob Roy",
        "Nuke: version 2 (was 1), by Ann Lee, Bob Roy",
    ]


def test_a_squash_names_its_author_and_those_of_its_trailers(by_path):
    change(by_path, "Command")
    trailers = [f"Co-authored-by: P{n} <p{n}@studio.example>" for n in range(9)]
    message = "\n".join(["Tiles (#7)\n", f"Co-authored-by: {BOB}", *trailers, ""])
    by_path.git("commit", "--quiet", "-a", "--author", ANN, "-m", message)

    assert taken(by_path.push_head()) == [
        "Command: version 2 (was 1), by Ann Lee, Bob Roy, P0 and 8 more"
    ]


# Progress


def test_progress_is_written_from_two_seconds_on_and_once_a_second():
    times = iter([0.0, 1.9, 2.1, 2.2, 3.0, 3.2, 3.3])
    text: list[str] = []
    count = Progress(text.append, lambda: next(times)).counting("checking", "jobtypes")

    for done in range(6):
        count(done, 800)
        count(done, 20)

    assert text == ["checking 1 of 800 jobtypes\r", "checking 4 of 800 jobtypes\r"]


def test_a_check_counts_its_jobtypes_and_a_growth_its_commits(sample, clone):
    td: Worktree = clone(sample)
    for name in ("Blender", "Maya"):
        change(td, name)
        td.commit()
    td.push("origin", "HEAD:refs/heads/two")
    store, counted = Store(Path(sample)), list[tuple[int, int]]()

    growth = store.growth(td.git("rev-parse", "HEAD").strip(), lambda *n: counted.append(n))
    store.check_push(growth, lambda *n: counted.append(n))

    assert counted == [(1, 2), (2, 2), (0, 2), (1, 2)]
