"""A repository with all that pages can show: the sample, a story of versions, and changes."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

from gitstore.branch.setup import sample_path
from gitstore.git.commits import Signature
from tests.support.branches import TD, Branch, Content

README = """\
# How Blender renders here

- one frame a task, or **tiles**
- see [the manual](https://docs.blender.org/manual/)

| field | what for |
|---|---|
| `max_batch` | frames that a task renders |
"""
TILES = "\nTILE_SIZE = {}\n"


def make_demo(path: Path) -> Branch:
    """A bare repository at *path*, which a service can serve."""
    branch = Branch(path)
    sample = sample_path()
    files: dict[str, Content] = {
        file.relative_to(sample).as_posix(): file.read_bytes()
        for kind in ("jobtypes", "software")
        for file in sorted((sample / kind).rglob("*.*"))
        if file.is_file() and "__pycache__" not in file.parts
    }
    code, meta = (
        (sample / "jobtypes" / "Blender" / name).read_text() for name in ("code.py", "meta.yaml")
    )
    fewer = meta.replace("max_batch: 10", "max_batch: 5")

    _step(branch, files, "Begin with PyFarm's jobtypes", "Ada Lovelace", 40)
    tiles = {"jobtypes/Blender/README.md": README} | _code(code + TILES.format(256))
    _step(branch, tiles, "Blender: render tiles of 256 pixels", "Alan Turing", 12)
    larger = _code(code + TILES.format(512)) | {"jobtypes/Blender/meta.yaml": fewer}
    _merge(branch, larger, "Blender: larger tiles, fewer frames", "Ada Lovelace", 5)
    withdrawn: dict[str, Content] = {"withdrawn.yaml": "Blender: [2]\n"}
    _step(branch, withdrawn, "Blender: withdraw 2, for its seams", "Grace Hopper", 3)
    assert branch.tip
    branch.repository.move("refs/heads/td/merged", None, branch.tip, TD, "test")
    broken: dict[str, Content] = {"jobtypes/FFmpeg/code.py": b"# caf\xe9\n"}
    _step(branch, broken, "FFmpeg: a note", "Alan Turing", 1)

    quiet = _code(code + TILES.format(512) + "QUIET = True\n")
    _change(branch, "td/blender-quiet", quiet, "Blender: say less", "Ada Lovelace")
    faulty = _code(code + "\n\ndef broken(:\n")
    faulty |= {"jobtypes/Blender/meta.yaml": meta.replace("max_batch: 10", "max_batch: ten")}
    _change(branch, "td/blender-ten", faulty, "Blender: ten frames", "Alan Turing")
    conflict: dict[str, Content] = {"jobtypes/FFmpeg/code.py": "class FFmpeg: pass\n"}
    _change(branch, "td/ffmpeg", conflict, "FFmpeg: all new", "Alan Turing", onto=f"{branch.tip}~1")
    return branch


def _code(text: str) -> dict[str, Content]:
    return {"jobtypes/Blender/code.py": text}


def _who(name: str, days_ago: int) -> Signature:
    when = datetime.now(timezone(timedelta(hours=1))) - timedelta(days=days_ago)
    return Signature(name, f"{name.split()[0].lower()}@studio.example", when)


Files = dict[str, Content]


def _step(branch: Branch, files: Files, message: str, who: str, days_ago: int) -> None:
    """Commit *files* to the branch itself."""
    by = _who(who, days_ago)
    branch.commit(files, f"{message}\n", author=by, committer=by)


def _merge(branch: Branch, files: Files, message: str, who: str, days_ago: int) -> None:
    """Commit *files* to a side branch, which Grace Hopper merges."""
    by, reviewer = _who(who, days_ago + 1), _who("Grace Hopper", days_ago)
    side = branch.side(files, f"{message}\n", author=by, committer=by)
    merge = f"Merge td/tiles: {message}\n"
    branch.commit(files, merge, merged=(side,), author=reviewer, committer=reviewer)


def _change(
    branch: Branch, name: str, files: Files, message: str, who: str, onto: str | None = None
) -> None:
    """Push a change of the tip, or of *onto*, as branch *name*."""
    start, by = branch.repository.resolve(onto).id if onto else branch.tip, _who(who, 0)
    commit = branch.side(files, f"{message}\n", onto=start, author=by, committer=by)
    branch.repository.move(f"refs/heads/{name}", None, commit, TD, "test")
