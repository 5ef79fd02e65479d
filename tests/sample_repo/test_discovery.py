"""The software catalogue's code that looks for programs on an agent's machine."""

from __future__ import annotations

import glob
import os
from pathlib import Path

import pytest

from tests.sample_repo.sample import SOFTWARE, syntax_of_python_3

VERSIONS = [
    pytest.param(software, version, id=f"{software}-{version['version']}")
    for software, content in sorted(SOFTWARE.items())
    for version in content["versions"]
]

LINES = {
    "blender": {
        "2.69": "Blender 2.69 (sub 0)",
        "3.6": "Blender 3.6.5\n\tbuild date: 2023-10-16",
        "4.2": "Blender 4.2.3 LTS",
    },
    "ffmpeg": {
        "4.4": "ffmpeg version 4.4.2-0ubuntu0.22.04.1 Copyright (c) 2000-2021",
        "6.1": "ffmpeg version 6.1.1 Copyright (c) 2000-2023",
        "7.1": "ffmpeg version n7.1 Copyright (c) 2000-2024",
    },
}
PROGRAMS = {
    "maya": "opt/maya{version}/bin/Render",
    "nuke": "opt/Nuke{version}v3/Nuke{version}",
    "houdini": "opt/hfs{version}.332/bin/hython",
}
INSTALLED = {
    "blender": "opt/blender-{version}-linux-x64/blender",
    "maya": "usr/autodesk/maya{version}/bin/Render",
    "nuke": "usr/local/Nuke{version}v3/Nuke{version}",
    "houdini": "opt/hfs{version}.332/bin/hython",
    "ffmpeg": "usr/local/bin/ffmpeg",
}


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """An empty machine: a root folder, in which install folders are looked for, and no PATH."""
    root = tmp_path / "machine"
    root.mkdir()
    find = glob.glob

    def find_below_root(pattern):
        return find(pattern if pattern.startswith(str(root)) else f"{root}{pattern}")

    monkeypatch.setattr(glob, "glob", find_below_root)
    monkeypatch.setenv("PATH", "")
    return root


def install(path, line):
    """Put a program at *path* that prints *line*."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n/bin/cat <<'END'\n{line}\nEND\n")
    path.chmod(0o755)
    return str(path)


def discover(version):
    namespace = {}
    exec(compile(version["discovery_code"], "discovery", "exec"), namespace)
    return namespace[version["discovery_function_name"]]()


def line_of(software, version):
    return LINES.get(software, {}).get(version, "")


@pytest.mark.parametrize(("software", "version"), VERSIONS)
def test_discovery_finds_nothing_on_an_empty_machine(machine, software, version):
    assert discover(version) is False


@pytest.mark.parametrize(("software", "version"), VERSIONS)
def test_discovery_finds_the_program_on_the_path(machine, monkeypatch, software, version):
    number = version["version"]
    place = PROGRAMS.get(software, f"home/bin/{software}").format(version=number)
    path = install(machine / place, line_of(software, number))
    monkeypatch.setenv("PATH", f"/nowhere{os.pathsep}{Path(path).parent}")

    assert discover(version) == (True, {"path": path})


@pytest.mark.parametrize(("software", "version"), VERSIONS)
def test_discovery_finds_the_program_where_it_is_usually_installed(machine, software, version):
    number = version["version"]
    place = INSTALLED[software].format(version=number)
    path = install(machine / place, line_of(software, number))

    assert discover(version) == (True, {"path": path})


@pytest.mark.parametrize(("software", "version"), VERSIONS)
def test_discovery_takes_no_other_version(machine, monkeypatch, software, version):
    others = [v["version"] for v in SOFTWARE[software]["versions"] if v is not version]
    paths = [
        install(
            machine / f"{number}x" / INSTALLED[software].format(version=number),
            line_of(software, number),
        )
        for number in others
    ]
    monkeypatch.setenv("PATH", os.pathsep.join(str(Path(path).parent) for path in paths))

    assert discover(version) is False


@pytest.mark.parametrize(("software", "version"), VERSIONS)
def test_discovery_survives_a_program_that_cannot_run(machine, monkeypatch, software, version):
    path = machine / "bin" / software
    path.parent.mkdir()
    path.write_text("not a program")
    monkeypatch.setenv("PATH", str(path.parent))

    assert discover(version) is False


@pytest.mark.parametrize(("software", "version"), VERSIONS)
def test_discovery_code_keeps_to_the_syntax_of_python_27(software, version):
    code = version["discovery_code"]

    assert code.isascii()
    assert syntax_of_python_3(code) == []
