"""The files with which a jobtype begins: from a template, or from another jobtype."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gitstore.branch.setup import sample_path
from gitstore.errors import BadRequest, Exists, NotFound
from gitstore.format import layout
from gitstore.format.json_schema import FOLDER
from gitstore.format.schema import JobtypeMeta, parse_meta, parse_software
from gitstore.format.spelling import did_you_mean
from gitstore.format.yaml_editor import Plain, edit_yaml

CONFTEST = b'''\
"""Brings the fixtures of `jobtypes test` to a plain pytest, such as an editor's."""

pytest_plugins = ["gitstore.desk.plugin"]
'''

_CODE = '''\
"""{description}.

What the job's data may hold:
    scene       the scene file; required
    executable  the program; else "{program}", which must be on the PATH
"""

from pyfarm.jobtypes.core.jobtype import JobType


class {classname}(JobType):
    def get_command_data(self):
        """Return the command of the assignment: the agent runs it once for all its tasks.

        For a process for each frame, return a list of them.
        """
        frames = [int(task["frame"]) for task in self.assignment["tasks"]]
        arguments = ["--start", frames[0], "--end", frames[-1]]
        arguments.append(self.map_path(self._required("scene")))
        program = self.expandvars(self._data().get("executable") or "{program}")
        return self.COMMAND_DATA(program, *map(self._plain, arguments), env=self._environment())

    def _data(self):
        return self.assignment["job"].get("data") or {{}}

    def _required(self, key):
        if not self._data().get(key):
            raise ValueError("The job's data lack %r, which {classname} needs." % key)
        return self._data()[key]

    def _plain(self, value):
        """Return *value*, as UTF-8 if it isn't ASCII: the agent fails at other text."""
        text = "%s" % (value,)
        return text.encode("utf-8") if any(ord(letter) > 127 for letter in text) else value

    def _environment(self):
        """Return the agent's environment, with the job's on top."""
        environment = dict(self.get_environment())
        environment.update(self.assignment["job"].get("environ") or {{}})
        return environment

    def handle_stdout_line(self, protocol, stdout):
        """Read a line of output, for progress: self.set_task_progress(task, 0.5)."""
        super({classname}, self).handle_stdout_line(protocol, stdout)  # This logs it.

    def is_successful(self, protocol, reason):
        """Return whether the process ended well; the base class asks for exit code 0."""
        return super({classname}, self).is_successful(protocol, reason)
'''

_META = """\
# yaml-language-server: $schema=../../{schemas}/meta.json
classname: {classname}
description: none yet

# The most tasks that an agent gets at once, and whether their frames must be neighbours.
max_batch: 5
batch_contiguous: true

# The software that an agent must have, as in software/. With a version, for example:
# [{{software: blender, min_version: "4.2"}}]
requirements: []
"""

_CASES = """\
# Jobs, and the commands that the farm runs for them. jobtypes test --update writes `expect`.
- name: a batch of frames
  frames: 1-3
  data:
    scene: /show/a.scene
  expect:
    - command: {program}
      arguments: [--start, "1", --end, "3", /show/a.scene]
"""

_REQUIREMENT = re.compile(
    # Spaces at the ends are stripped later: to leave them out here takes long.
    r"(?P<software>[^<>=]+)(?:>=(?P<low>[^<>=,]+))?(?:(?:,\s*)?<=(?P<high>[^<>=,]+))?"
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants of a new jobtype: empty and None where they don't say."""

    name: str
    source: str | None = None
    description: str = ""
    requires: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class _File:
    """A file that is made; *model* is the one whose permissions it gets."""

    content: bytes
    model: Path | None = None


_Files = dict[str, _File]
"""What is made, by path."""


def begin(root: Path, wish: Wish) -> list[Path]:
    """Write the files of the jobtype *wish* into the folder *root*; their paths.

    Raises:
        BadRequest: the name, the description or a requirement can't be used.
        Exists: there is such a jobtype, or such a file.
        NotFound: there is no jobtype to begin from, or no such software.
    """
    fault = layout.jobtype_name_fault(wish.name)
    if fault:
        raise BadRequest(f"the name {layout.shown(wish.name)} {fault}")
    if not layout.is_text(wish.description):
        raise BadRequest("the description holds bytes that are no text; write it in UTF-8")
    for there in (root / layout.JOBTYPES).glob("*"):
        if layout.fold(there.name) == layout.fold(wish.name):
            raise Exists(f"there is {there} already; choose another name")
    wish = replace(wish, description=" ".join(wish.description.split()))
    requirements = [_requirement(root, text) for text in wish.requires]
    make = _from_template if wish.source is None else _from_jobtype
    files = make(root, wish, requirements)
    conftest = f"{layout.TESTS}/conftest.py"
    if not os.path.lexists(root / conftest):
        files[conftest] = _File(CONFTEST)
    _require_room(root, files)
    return [_write(root / name, file) for name, file in files.items()]


def _require_room(root: Path, names: Iterable[str]) -> None:
    """Raise unless the files *names* can be made in *root*, and nothing stands in their places.

    Raises:
        Exists: something does.
    """
    for name in names:
        path = root / name
        if os.path.lexists(path):
            raise Exists(f"there is {path} already; move it away, or choose another name")
        for folder in (root / part for part in Path(name).parents):
            if folder != root and os.path.lexists(folder) and not _is_folder(folder):
                raise Exists(f"{folder} is no folder of this clone; move it away")


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _write(path: Path, made: _File) -> Path:
    """The *path* of the new file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        file.write(made.content)
    if made.model:
        shutil.copymode(made.model, path)
    return path


def _classname(name: str) -> str:
    """A class's name that is made of the jobtype's *name*."""
    plain = re.sub(r"[^A-Za-z0-9_]", "", name)
    return plain if plain and not plain[0].isdigit() else f"Job{plain}"


def _from_template(root: Path, wish: Wish, requirements: Sequence[dict[str, Plain]]) -> _Files:
    classname = _classname(wish.name)
    program = re.sub(r"[^a-z0-9_.+-]", "", (_program(requirements) or wish.name).lower())
    description = wish.description or f"Renders frames with {wish.name}"
    # In code, only what Python 2.7 reads in a docstring as it stands.
    plain = re.sub(r'[^\x20-\x7e]|["\\]', "", description).rstrip(".") or classname
    words = {"classname": classname, "program": program or "program"}
    code = _CODE.format(description=plain, **words)
    schemas = FOLDER if (root / FOLDER).is_dir() else ""
    meta = _META.format(classname=classname, schemas=FOLDER)
    if not schemas:
        meta = meta.partition("\n")[2]
    fields: dict[str, Plain] = {"description": description, "requirements": [*requirements]}
    return {
        layout.code_path(wish.name): _File(code.encode()),
        layout.meta_path(wish.name): _File(_edited(meta.encode(), fields)),
        f"{layout.TESTS}/{wish.name}/cases.yaml": _File(_CASES.format(**words).encode()),
    }


def _program(requirements: Sequence[dict[str, Plain]]) -> str:
    return str(requirements[0]["software"]) if requirements else ""


def _from_jobtype(root: Path, wish: Wish, requirements: Sequence[dict[str, Plain]]) -> _Files:
    source = wish.source
    assert source is not None
    home = _home(root, source)
    meta = (home / layout.meta_path(source)).read_bytes()
    parsed = _parsed(meta, f"{home / layout.meta_path(source)}: ")
    old, new = parsed.classname or source, _classname(wish.name)
    fields: dict[str, Plain] = {"classname": new}
    if wish.description:
        fields["description"] = wish.description
    if requirements:
        fields["requirements"] = [*requirements]
    code = _copied(home / layout.jobtype_path(source), (".py",), old, new)
    tests = _copied(home / layout.TESTS / source, (".py", ".yaml"), old, new)
    return {
        layout.code_path(wish.name): _renamed(home / layout.code_path(source), old, new),
        **{f"{layout.jobtype_path(wish.name)}/{path}": file for path, file in code},
        **{f"{layout.TESTS}/{wish.name}/{path}": file for path, file in tests},
        layout.meta_path(wish.name): _File(_edited(meta, fields)),
    }


def _copied(folder: Path, kinds: Sequence[str], old: str, new: str) -> Iterator[tuple[str, _File]]:
    """Yield the files below *folder*, by path within it. Those of *kinds* call *old* *new*."""
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        # Git's tree of a jobtype has no links, and Python's caches are of no use elsewhere.
        if path.is_file() and not path.is_symlink() and "__pycache__" not in inside.parts:
            is_renamed = path.suffix in kinds
            made = _renamed(path, old, new) if is_renamed else _File(path.read_bytes(), path)
            yield inside.as_posix(), made


def _home(root: Path, name: str) -> Path:
    """The folder with the jobtype *name*: *root*, or else the sample.

    Raises:
        NotFound: neither has it.
    """
    homes = (root, sample_path())
    for home in homes:
        paths = (layout.code_path(name), layout.meta_path(name))
        if all(os.path.isfile(home / path) for path in paths):
            return home
    folders = [folder for home in homes for folder in (home / layout.JOBTYPES).glob("*/")]
    near = did_you_mean(name, sorted({folder.name for folder in folders}))
    raise NotFound(f"there is no jobtype {layout.shown(name)} here or in the sample{near}")


def _renamed(path: Path, old: str, new: str) -> _File:
    """The file at *path* with the class *old* called *new*."""
    text = path.read_bytes().decode(errors="surrogateescape")
    renamed = re.sub(rf"(?<![\w.-]){re.escape(old)}(?![\w.-])", new, text)
    return _File(renamed.encode(errors="surrogateescape"), path)


def _parsed(meta: bytes, where: str = "") -> JobtypeMeta:
    """The fields of *meta*.

    Raises:
        BadRequest: it can't be read; the message begins with *where*.
    """
    parsed = parse_meta(meta)
    if parsed.value is None:
        raise BadRequest(f"{where}{parsed.faults[0].message}")
    return parsed.value


def _edited(meta: bytes, fields: Mapping[str, Plain]) -> bytes:
    """The *meta* with *fields* in the place of its own.

    Raises:
        BadRequest: they can't be a jobtype's.
    """
    values: dict[str, Plain] = json.loads(_parsed(meta).model_dump_json(exclude_unset=True))
    edited = edit_yaml(meta, {**values, **fields})
    _parsed(edited)
    return edited


def _requirement(root: Path, text: str) -> dict[str, Plain]:
    """The requirement in *text*: ``blender``, ``blender>=4.2`` or ``blender>=4.2,<=4.5``.

    Raises:
        BadRequest: it is none.
        NotFound: the catalogue in *root* doesn't have it.
    """
    match = _REQUIREMENT.fullmatch(text.strip())
    if match is None:
        raise BadRequest(f"{text!r} is no requirement; write blender, or blender>=4.2,<=4.5")
    software = match["software"].strip(" ,")
    path = root / layout.software_path(software)
    if not os.path.isfile(path):
        files = (root / layout.SOFTWARE).glob(f"*{layout.YAML}")
        names = sorted(filter(None, (layout.software_name(file.name) for file in files)))
        near = did_you_mean(software, names)
        raise NotFound(f"there is no software {layout.shown(software)} in {path.parent}{near}")
    parsed = parse_software(path.read_bytes()).value
    versions = [version.version for version in parsed.by_rank()] if parsed else []
    wanted = {"min_version": match["low"], "max_version": match["high"]}
    for version in filter(None, wanted.values()):
        if version.strip() not in versions:
            listed = ", ".join(versions) or "none"
            raise NotFound(f"{path} has no version {layout.shown(version)}; it has {listed}")
    return {"software": software, **{k: v.strip() for k, v in wanted.items() if v}}
