"""Trees of any shape on a branch: shown or refused, and the service goes on. Its memory, too."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from api.app import create_app
from api.config import Config
from gitstore.branch.incoming import require_bounds
from gitstore.branch.store import Store
from gitstore.errors import OutOfBounds
from gitstore.git.repository import init_repository
from tests.support.depth import examples
from tests.support.git import git
from tests.support.processes import workers
from tests.support.shapes import FILE, TREE, Rows, Shapes

pytestmark = pytest.mark.farm

NAMES = st.sampled_from(
    [b"jobtypes", b"software", b"withdrawn.yaml", b"A", b"B", b"code.py", b"meta.yaml", b"x.yaml"]
) | st.binary(min_size=1, max_size=300).filter(lambda name: b"\0" not in name)
MODES = st.sampled_from(
    [
        FILE,
        TREE,
        "100755",
        "100664",
        "120000",
        "160000",
        "40755",
        "0",
        "7777777",
        "100640",
        "140000",
    ]
)
LEAVES = st.sampled_from([b"", b"x\n", b"classname: Job\n", b"class Job:\n    pass\n", b"[" * 300])
TREES = st.recursive(
    LEAVES | st.integers(0, 2_000_000),
    lambda below: st.lists(st.tuples(NAMES, MODES, below), max_size=5),
    max_leaves=12,
)
"""Bytes are a file, a number is one of so many zeros, a list is a directory."""
WRAPPED = st.tuples(TREES, st.integers(0, 40), st.booleans())
"""What is put into so many directories, which are two of the same each time, or one."""

READS = ("/preview/bad/api/v1/jobtypes/A", "/api/v1/changes/bad", "/changes/bad", "/changes/")


def put(shapes: Shapes, node: object) -> str:
    if isinstance(node, int):
        return shapes.blob(bytes(node))
    if isinstance(node, bytes):
        return shapes.blob(node)
    assert isinstance(node, list)
    return shapes.tree([(mode, name, put(shapes, below)) for name, mode, below in node])


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Path:
    path = init_repository(tmp_path_factory.mktemp("fuzz") / "r.git", "main").git_dir
    shapes = Shapes(path)
    git(path, "update-ref", "refs/heads/main", shapes.commit(shapes.root(shapes.job())))
    return path


PLAIN = (b"", 0, False)


@settings(max_examples=examples(25))
@example(root=[(b"x.yaml", "0", b"")], wrapped=PLAIN, where=b"software")
@example(root=[(b"x.yaml", "140000", b"")], wrapped=PLAIN, where=b"software")
@example(root=[(b"x.yaml", "7777777", b"")], wrapped=PLAIN, where=b"software")
@example(root=[(b"software", FILE, b"")], wrapped=(b"", 1, False), where=b"software")
@given(root=st.lists(st.tuples(NAMES, MODES, TREES), max_size=4), wrapped=WRAPPED, where=NAMES)
def test_a_tree_of_any_shape_is_shown_or_refused(served, root, wrapped, where):
    shapes = Shapes(served)
    node, times, is_doubled = wrapped
    mode, made = (TREE if isinstance(node, list) else FILE), put(shapes, node)
    for _ in range(times):
        rows: Rows = (
            [(mode, b"a", made), (mode, b"b", made)] if is_doubled else [(mode, b"a", made)]
        )
        mode, made = TREE, shapes.tree(rows)
    job = shapes.root({path[9:]: row for path, row in shapes.job().items()})
    kept = [(m, name, put(shapes, below)) for name, m, below in root if name != b"jobtypes"]
    tip = git(served, "rev-parse", "main").strip()
    tree = shapes.tree([*kept, (mode, where, made), (TREE, b"jobtypes", job)])
    commit = shapes.commit(tree, tip)
    (served / "refs" / "heads" / "bad").write_text(f"{commit}\n")
    client = create_app(Config(served)).test_client()
    store = Store(served)

    for path in READS:
        assert client.get(path).status_code < 500, path
    with suppress(OutOfBounds):
        require_bounds(store.repository, commit, tip, store.checks.sizes)
    assert client.get("/api/v1/jobtypes/A/versions/1").status_code == 200
    assert client.get("/health/ready").json["damaged"] == []


def peak_mib(pid: int) -> int:
    said = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", said)
    assert found
    return int(found[1]) // 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the figures are Linux's")
def test_whatever_is_on_a_branch_takes_little_of_a_workers_memory(served, serve):
    shapes = Shapes(served)
    tip = git(served, "rev-parse", "main").strip()
    zeros = shapes.blob(bytes(40 * 2**20))
    lines = shapes.blob(b"\n" * 1_000_000)
    wide = [("100644", b"%07d" % n, lines) for n in range(5_000)]
    trees = {
        "code": shapes.job() | {"jobtypes/A/code.py": (FILE, zeros)},
        "meta": shapes.job() | {"jobtypes/A/meta.yaml": (FILE, zeros)},
        "other": shapes.job() | {"jobtypes/A/x": (FILE, zeros), "withdrawn.yaml": (FILE, zeros)},
        "software": shapes.job() | {"software/x.yaml": (FILE, zeros)},
        "doubled": shapes.job() | {"d": (TREE, shapes.doubled(28))},
        "wide": shapes.job() | {"jobtypes/A/d": (TREE, shapes.tree(wide))},
    }
    for name, files in trees.items():
        commit = shapes.commit(shapes.root(files), tip)
        (served / "refs" / "heads" / name).write_text(f"{commit}\n")
    server = serve(served, "--workers", "1")
    (worker,) = workers(server.process.pid)
    assert server.get("/api/v1/jobtypes/A/versions/1").status == 200
    before = peak_mib(worker)

    for name in trees:
        for read in READS[:3]:
            path = read.replace("bad", name)
            assert server.get(path).status < 500, path
            assert server.get("/api/v1/jobtypes/A/versions/1").status == 200
    assert peak_mib(worker) - before < 200
