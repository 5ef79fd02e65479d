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

    branch.commit(files, "Begin with PyFarm's jobtypes\n", author=_who("Ada Lovelace", 40))
    tiles = {"jobtypes/Blender/README.md": README} | _code(code + TILES.format(256))
    branch.commit(tiles, "Blender: render tiles of 256 pixels\n", author=_who("Ada Lovelace", 12))
    larger = _code(code + TILES.format(512)) | {"jobtypes/Blender/meta.yaml": fewer}
    branch.commit(larger, "Blender: larger tiles, fewer frames\n", author=_who("Grace Hopper", 5))
    withdrawn = {"withdrawn.yaml": "Blender: [2]\n"}
    branch.commit(withdrawn, "Blender: withdraw 2, for its seams\n", author=_who("Grace Hopper", 3))
    assert branch.tip
    branch.repository.move("refs/heads/td/merged", None, branch.tip, TD, "test")
    broken = {"jobtypes/FFmpeg/code.py": b"# caf\xe9\n"}
    branch.commit(broken, "FFmpeg: a note\n", author=_who("Alan Turing", 1))

    quiet = _code(code + TILES.format(512) + "QUIET = True\n")
    _change(branch, "td/blender-quiet", quiet, "Blender: say less", "Ada Lovelace")
    faulty = _code(code + "\n\ndef broken(:\n")
    faulty |= {"jobtypes/Blender/meta.yaml": meta.replace("max_batch: 10", "max_batch: ten")}
    _change(branch, "td/blender-ten", faulty, "Blender: ten frames", "Alan Turing")
    conflict = {"jobtypes/FFmpeg/code.py": "class FFmpeg: pass\n"}
    _change(branch, "td/ffmpeg", conflict, "FFmpeg: all new", "Alan Turing", onto=f"{branch.tip}~1")
    return branch


def _code(text: str) -> dict[str, Content]:
    return {"jobtypes/Blender/code.py": text}


def _who(name: str, days_ago: int) -> Signature:
    when = datetime.now(timezone(timedelta(hours=1))) - timedelta(days=days_ago)
    return Signature(name, f"{name.split()[0].lower()}@studio.example", when)


def _change(
    branch: Branch,
    name: str,
    files: dict[str, Content],
    message: str,
    who: str,
    onto: str | None = None,
) -> None:
    """Push a change of the tip, or of *onto*, as branch *name*."""
    start = branch.repository.resolve(onto).id if onto else branch.tip
    commit = branch.side(files, f"{message}\n", onto=start, author=_who(who, 0))
    branch.repository.move(f"refs/heads/{name}", None, commit, TD, "test")
