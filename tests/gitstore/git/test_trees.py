"""Git's tree objects, against git itself and against plain dictionaries."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitstore.git.trees import (
    DIRECTORY,
    EMPTY_TREE,
    Entry,
    Tree,
    Trees,
    TreeWalker,
    _common_prefix,
    blob_id,
    changed_data,
    parse_tree,
    tree_id,
)
from tests.support.depth import examples
from tests.support.git import git

MODES = [0o100644, 0o100755, 0o120000, 0o040000, 0o160000]

names = st.one_of(
    st.sampled_from(["a", "b", "a.b", "a-b", "ab", "a0", "é", "a b", "\udce9"]),
    st.text("ab./-é 0", min_size=1, max_size=3).filter(
        lambda n: "/" not in n and n not in (".", "..")
    ),
)
ids = st.one_of(
    st.sampled_from(["00" * 20, "0a" * 20, "ff" * 20, "00" * 19 + "01", "20" * 20, "2f" * 20]),
    st.binary(min_size=20, max_size=20).map(bytes.hex),
)
entries = st.builds(Entry, st.sampled_from(MODES), ids)
trees = st.dictionaries(names, entries, max_size=8)


def raw(tree: dict[str, Entry]) -> bytes:
    """The tree object's bytes, put together without the code that is tested."""

    def order(item: tuple[str, Entry]) -> bytes:
        name = item[0].encode("utf-8", "surrogateescape")
        return name + b"/" if item[1].mode == 0o040000 else name

    return b"".join(
        f"{entry.mode:o} ".encode()
        + name.encode("utf-8", "surrogateescape")
        + b"\0"
        + bytes.fromhex(entry.id)
        for name, entry in sorted(tree.items(), key=order)
    )


@given(trees)
def test_parsing_gives_the_entries_that_were_written(tree):
    assert parse_tree(raw(tree)) == tree


@settings(max_examples=examples(75))
@given(st.lists(trees, min_size=1, max_size=6))
def test_walker_tells_what_a_comparison_of_dictionaries_tells(states):
    walker = TreeWalker()
    before: dict[str, Entry] = {}
    for state in states:
        wanted: dict[str, Entry | None] = {n: e for n, e in state.items() if before.get(n) != e}
        wanted |= {name: None for name in before.keys() - state.keys()}

        assert walker.move(raw(state)) == wanted

        before = state


@settings(max_examples=examples(75))
@given(st.data(), st.dictionaries(names, entries, min_size=1, max_size=12))
def test_walker_finds_ids_that_change_in_place(data, tree):
    walker = TreeWalker()
    walker.move(raw(tree))
    for _ in range(3):
        changed = data.draw(st.lists(st.sampled_from(sorted(tree)), unique=True))
        new = {n: Entry(e.mode, data.draw(ids)) if n in changed else e for n, e in tree.items()}

        assert walker.move(raw(new)) == {n: e for n, e in new.items() if tree[n] != e}

        tree = new


LIKE_ENTRIES = st.sampled_from(
    [b"100644 a\0".ljust(20, b"1").hex(), b"1100644 b\0".rjust(20, b"\0").hex(), "31" * 20]
)
"""Ids whose bytes could be the beginning, or the end, of an entry."""


@settings(max_examples=examples(75))
@given(st.data(), st.dictionaries(names, entries, max_size=8))
def test_walker_follows_a_tree_that_grows_and_shrinks(data, tree):
    walker = TreeWalker()
    walker.move(raw(tree))
    change = st.none() | entries | st.builds(Entry, st.sampled_from(MODES), LIKE_ENTRIES)
    for _ in range(8):
        new = {**tree, **data.draw(st.dictionaries(names, change, min_size=1, max_size=3))}
        state = {name: entry for name, entry in new.items() if entry is not None}
        wanted: dict[str, Entry | None] = {n: e for n, e in state.items() if tree.get(n) != e}
        wanted |= {name: None for name in tree.keys() - state.keys()}

        assert walker.move(raw(state)) == wanted

        tree = state


def test_walker_is_not_fooled_by_an_id_that_ends_as_another_entry_does():
    walker = TreeWalker()
    end = raw({"b": Entry(0o100644, "22" * 20)})
    walker.move(end)
    # From its mode on, all but the name is as it was.
    like = Entry(0o100644, end[-20:].hex())

    assert walker.move(raw({"a": like})) == {"a": like, "b": None}


def test_walker_is_not_fooled_by_a_rename_that_keeps_the_length():
    walker = TreeWalker()
    entry = Entry(0o040000, "11" * 20)
    walker.move(raw({"Aa": entry, "Ab": entry}))

    moved = walker.move(raw({"Aa": entry, "Ac": entry}))

    assert moved == {"Ab": None, "Ac": entry}


def test_walker_sees_a_mode_that_changes():
    walker = TreeWalker()
    walker.move(raw({"a": Entry(0o100644, "11" * 20)}))

    assert walker.move(raw({"a": Entry(0o100755, "11" * 20)})) == {"a": Entry(0o100755, "11" * 20)}


def test_walker_sees_a_directory_go_and_come_back():
    walker = TreeWalker()
    tree = {"a": Entry(0o040000, "11" * 20)}
    walker.move(raw(tree))

    assert walker.move(b"") == {"a": None}
    assert walker.move(b"") == {}
    assert walker.move(raw(tree)) == tree


@pytest.mark.parametrize("data", [b"", b"x", b"caf\xe9\0\n", b"a\r\n" * 1000])
def test_blob_id_is_what_git_hash_object_says(tmp_path, data):
    done = subprocess.run(
        ["git", "hash-object", "--stdin"], input=data, capture_output=True, check=True, cwd=tmp_path
    )

    assert blob_id(data) == done.stdout.decode().strip()


TREES = {
    "empty": {},
    "files": {"b": Entry(0o100644, "11" * 20), "a": Entry(0o100755, "22" * 20)},
    "a directory sorts as if it ended in a slash": {
        "a": Entry(0o040000, "11" * 20),
        "a.b": Entry(0o100644, "22" * 20),
        "a0": Entry(0o100644, "33" * 20),
    },
    "a file does not": {
        "a": Entry(0o100644, "11" * 20),
        "a.b": Entry(0o040000, "22" * 20),
        "a0": Entry(0o120000, "33" * 20),
    },
    "links and submodules": {"l": Entry(0o120000, "11" * 20), "s": Entry(0o160000, "22" * 20)},
    "names outside ASCII": {"é": Entry(0o100644, "11" * 20), "z": Entry(0o100644, "22" * 20)},
}


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
def test_tree_id_is_what_git_mktree_says(empty, tree):
    types = {0o040000: "tree", 0o160000: "commit"}
    lines = "".join(
        f"{e.mode:06o} {types.get(e.mode, 'blob')} {e.id}\t{name}\0" for name, e in tree.items()
    )

    assert tree_id(tree) == git(empty, "mktree", "-z", "--missing", input=lines).strip()


def test_the_empty_trees_id_is_gits(empty):
    assert git(empty, "mktree", input="").strip() == EMPTY_TREE == tree_id({})


KINDS = [
    (0o040000, True, False, "a directory"),
    (0o100644, False, True, "a file"),
    (0o100755, False, True, "a file"),
    (0o120000, False, False, "a symbolic link"),
    (0o160000, False, False, "a submodule"),
]


@pytest.mark.parametrize(("mode", "is_tree", "is_file", "kind"), KINDS)
def test_an_entry_knows_what_it_is(mode, is_tree, is_file, kind):
    entry = Entry(mode, "11" * 20)

    assert (entry.is_tree, entry.is_file, entry.kind) == (is_tree, is_file, kind)


def tree_of(data: bytes) -> Tree:
    return Trees(lambda id: data, 1).tree("x")


@settings(max_examples=examples(75))
@given(trees, st.dictionaries(names, st.none() | entries, max_size=4))
def test_a_changed_tree_is_what_its_entries_make(before, changes):
    after = {name: entry for name, entry in (before | changes).items() if entry}

    assert changed_data(tree_of(raw(before)), changes) == raw(after)


def test_an_entry_whose_bytes_stand_in_an_id_too_is_changed_in_its_place():
    hidden = (b"100644 b\0" + b"." * 20)[:20].hex()
    before = {"a": Entry(0o100644, hidden), "b": Entry(0o100644, "11" * 20)}

    changed = changed_data(tree_of(raw(before)), {"b": Entry(0o100644, "22" * 20)})

    assert parse_tree(changed) == before | {"b": Entry(0o100644, "22" * 20)}


def large(**changed: Entry) -> dict[str, Entry]:
    return {f"job{n:04d}": Entry(0o040000, f"{n:040x}") for n in range(500)} | changed


@pytest.mark.parametrize("step", [1, 7])
def test_a_tree_in_which_much_differs_is_compared_in_one_go(monkeypatch, step):
    before, data = large(), raw(large())
    changed = {name: Entry(DIRECTORY, "ff" * 20) for name in [*before][::step]}
    walker = TreeWalker()
    walker.move(data)
    compared: list[int] = []

    def count(a: bytes, b: bytes) -> int:
        compared.append(len(a))
        return _common_prefix(a, b)

    monkeypatch.setattr("gitstore.git.trees._common_prefix", count)

    assert walker.move(raw(before | changed)) == changed
    assert sum(compared) < 10 * len(data)
    assert changed_data(tree_of(data), changed) == raw(before | changed)


def test_trees_have_the_entries_of_their_bytes_and_share_what_is_the_same():
    new = Entry(0o040000, "ff" * 20)
    states = {
        "first": large(),
        "ids differ": large(job0000=new, job0250=new, job0499=new),
        "a mode differs": large(job0003=Entry(0o100644, "ff" * 20)),
        "one more": large(zoo=new),
        "again": large(),
        "small": {"a": new},
    }
    known = Trees(lambda id: raw(states[id]), 10)

    read = {id: known.tree(id) for id in states}

    for id, entries in states.items():
        assert read[id].entries == entries, id
        assert list(read[id].entries) == list(parse_tree(raw(entries))), id
        assert [read[id].data[start:][:1] in b"14" for start in read[id].starts], id
    assert read["ids differ"].entries["job0001"] is read["first"].entries["job0001"]


def test_only_the_trees_asked_for_last_are_kept():
    asked: list[str] = []

    def read(id: str) -> bytes:
        asked.append(id)
        return b""

    known = Trees(read, 2)
    for id in ("a", "b", "a", "c", "a", "b"):
        known.tree(id)

    assert asked == ["a", "b", "c", "b"]
