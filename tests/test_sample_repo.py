"""The jobtypes and the software catalogue of sample_repo/, run as an agent would run them."""

import ast
import glob
import os
import re
import string
import sys
import types
from pathlib import Path

import pytest
import yaml

SAMPLE = Path(__file__).parent.parent / "sample_repo"
JOBTYPES = sorted(path.name for path in (SAMPLE / "jobtypes").iterdir())
SOFTWARE = {
    path.stem: yaml.safe_load(path.read_text("ascii")) for path in SAMPLE.glob("software/*.yaml")
}
VERSIONS = [
    pytest.param(software, version, id=f"{software}-{version['version']}")
    for software, content in sorted(SOFTWARE.items())
    for version in content["versions"]
]
META_FIELDS = {
    "classname",
    "description",
    "max_batch",
    "batch_contiguous",
    "no_automatic_start_time",
    "supports_tiling",
    "success_subject",
    "success_body",
    "fail_subject",
    "fail_body",
    "requirements",
}
FILES = [
    path
    for pattern in ("*.*", "jobtypes/*/*.*", "software/*.yaml")
    for path in sorted(SAMPLE.glob(pattern))
    if path.is_file()
]


# The stand-in for the agent.


class CommandData:
    """What the agent starts a process from; like the agent's own, it makes arguments strings."""

    def __init__(self, command, *arguments, **options):
        self.command = command
        self.arguments = tuple(map(str, arguments))
        self.env = options.pop("env", None)
        self.cwd = options.pop("cwd", None)
        self.user = options.pop("user", None)
        self.group = options.pop("group", None)
        assert not options


class JobType:
    """The part of the agent's base class that the jobtypes use, without the farm behind it."""

    COMMAND_DATA = CommandData

    def __init__(self, assignment, folder):
        self.assignment = types.MappingProxyType(assignment)
        self.folder = folder
        self.log = []
        self.progress = []
        self.states = {}

    def get_environment(self):
        return {"PATH": "/usr/bin", "TOOLS": "/tools"}

    def map_path(self, path):
        return self.expandvars(path.replace("P:/", "/mnt/projects/"))

    def expandvars(self, value):
        return string.Template(value).safe_substitute(self.get_environment())

    def tempdir(self):
        self.folder.mkdir(exist_ok=True)
        return str(self.folder)

    def before_start(self):
        pass

    def handle_stdout_line(self, protocol, stdout):
        self.log.append(stdout)

    def handle_stderr_line(self, protocol, stderr):
        self.log.append(stderr)

    def is_successful(self, protocol, reason):
        return reason == 0 if isinstance(reason, int) else reason.value.exitCode == 0

    def set_task_progress(self, task, fraction):
        assert task in self.assignment["tasks"]
        assert 0 <= fraction <= 1
        self.progress.append((task["frame"], round(fraction, 2)))

    def set_task_state(self, task, state):
        assert task in self.assignment["tasks"]
        assert state in {"running", "done", "failed"}
        self.states[task["id"]] = state


class Run:
    """A started jobtype: feed it output, end it, and see what became of the tasks."""

    def __init__(self, jobtype):
        self.jobtype = jobtype
        jobtype.before_start()
        self.command = jobtype.get_command_data()

    @property
    def line(self):
        return " ".join([self.command.command, *self.command.arguments])

    def prints(self, text):
        for line in text.strip().splitlines():
            self.jobtype.handle_stdout_line(None, line.strip())

    def complains(self, text):
        for line in text.strip().splitlines():
            self.jobtype.handle_stderr_line(None, line.strip())

    def exits(self, reason=0):
        """Return the tasks' states; as with the agent, a state set before stays."""
        rest = "done" if self.jobtype.is_successful(None, reason) else "failed"
        tasks = self.jobtype.assignment["tasks"]
        return [self.jobtype.states.get(task["id"], rest) for task in tasks]


def failure(exit_code):
    """The reason that the agent gives when a process has ended by itself."""
    return types.SimpleNamespace(value=types.SimpleNamespace(exitCode=exit_code))


def tasks_of(frames, tiles=(None,)):
    places = [(frame, tile) for frame in frames for tile in tiles]
    return [
        {"id": 70 + number, "frame": frame, "tile": tile, "attempt": 1}
        for number, (frame, tile) in enumerate(places)
    ]


def meta_of(name):
    return yaml.safe_load((SAMPLE / "jobtypes" / name / "meta.yaml").read_text("ascii"))


@pytest.fixture
def load(monkeypatch):
    """Load a jobtype's class by the jobtype's name."""
    for name in ("pyfarm", "pyfarm.jobtypes", "pyfarm.jobtypes.core"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    core = types.ModuleType("pyfarm.jobtypes.core.jobtype")
    core.JobType = JobType
    monkeypatch.setitem(sys.modules, core.__name__, core)

    def load(name):
        path = SAMPLE / "jobtypes" / name / "code.py"
        module = types.ModuleType(f"{name}1")
        exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
        return getattr(module, meta_of(name)["classname"])

    return load


@pytest.fixture
def start(load, tmp_path):
    """Start a jobtype: its name, the job's data, the frames, and more keys of the job."""

    def start(name, data, frames=(1,), tiles=(None,), **job):
        job = {"id": 5, "by": 1, "title": "shot", "data": data, "environ": {}, **job}
        assignment = {
            "id": "0b2d5a2e",
            "job": job,
            "jobtype": {"name": name, "version": 1},
            "tasks": tasks_of(frames, tiles),
        }
        return Run(load(name)(assignment, tmp_path / "temporary"))

    return start


# The files.


def test_the_sample_has_the_six_jobtypes():
    assert JOBTYPES == ["Blender", "Command", "FFmpeg", "Houdini", "Maya", "Nuke"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SAMPLE)))
def test_every_file_is_ascii(path):
    assert path.read_bytes().isascii()


PYTHON_3 = (
    ast.JoinedStr,
    ast.AnnAssign,
    ast.Nonlocal,
    ast.NamedExpr,
    ast.AsyncFunctionDef,
    ast.Await,
    ast.YieldFrom,
    ast.Match,
    ast.TryStar,
)
PYTHON_3_PARTS = ("posonlyargs", "kwonlyargs", "annotation", "returns", "cause")


def is_new_in_python_3(node):
    """Whether Python 2.7 can't compile *node*, or can't run it: super()."""
    if isinstance(node, ast.ClassDef):
        return bool(node.keywords)
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return any(isinstance(part, ast.Starred) for part in node.elts)
    if isinstance(node, ast.Call):
        return ast.unparse(node) == "super()"
    return isinstance(node, PYTHON_3) or any(getattr(node, part, None) for part in PYTHON_3_PARTS)


def syntax_of_python_3(code):
    """Return the nodes of *code* that Python 2.7 can't do with, in readable form."""
    return [ast.unparse(node) for node in ast.walk(ast.parse(code)) if is_new_in_python_3(node)]


@pytest.mark.parametrize(
    "code",
    [
        "f'{x}'",
        "x: int = 1",
        "def f(x: int): pass",
        "def f() -> int: pass",
        "def f(*, x): pass",
        "def f(x, /): pass",
        "def f():\n    nonlocal x",
        "raise x from y",
        "class C(metaclass=M): pass",
        "[*x]",
        "super().f()",
        "(x := 1)",
    ],
)
def test_the_check_for_python_27_sees_what_is_new_in_3(code):
    assert syntax_of_python_3(code)


@pytest.mark.parametrize("name", JOBTYPES)
def test_a_jobtype_compiles_and_keeps_to_the_syntax_of_python_27(name):
    code = (SAMPLE / "jobtypes" / name / "code.py").read_text("ascii")

    assert syntax_of_python_3(code) == []


@pytest.mark.parametrize("name", JOBTYPES)
def test_a_meta_yaml_has_known_fields_and_names_the_class(name):
    meta = meta_of(name)

    assert set(meta) <= META_FIELDS
    assert meta["classname"] == name


@pytest.mark.parametrize("name", JOBTYPES)
def test_what_a_jobtype_requires_is_in_the_catalogue(name):
    for requirement in meta_of(name)["requirements"]:
        versions = [v["version"] for v in SOFTWARE[requirement["software"]]["versions"]]
        assert requirement["min_version"] in versions
        assert requirement.get("max_version") in [None, *versions]


@pytest.mark.parametrize("software", SOFTWARE)
def test_a_software_has_distinct_versions_in_order_and_one_default(software):
    versions = SOFTWARE[software]["versions"]
    ranks = [version["rank"] for version in versions]

    assert all(isinstance(version["version"], str) for version in versions)
    assert len({version["version"] for version in versions}) == len(versions)
    assert ranks == sorted(set(ranks))
    assert sum(version.get("default", False) for version in versions) <= 1


@pytest.mark.parametrize("field", sorted(META_FIELDS))
def test_the_readme_explains_every_field_of_meta_yaml(field):
    rows = re.findall(r"^\| (`.*?) \|", (SAMPLE / "README.md").read_text("ascii"), re.MULTILINE)

    assert f"`{field}`" in ", ".join(rows).split(", ")


# What all jobtypes have in common.

ENOUGH = {
    "Blender": {"scene": "P:/a.blend"},
    "Command": {"command": "touch"},
    "FFmpeg": {"input": "P:/a.%04d.png", "output": "out.mov", "start": 1, "end": 9},
    "Houdini": {"scene": "P:/a.hip", "node": "/out/mantra1"},
    "Maya": {"scene": "P:/a.ma"},
    "Nuke": {"script": "P:/a.nk"},
}


@pytest.mark.parametrize(
    ("name", "key"), [(name, key) for name, data in ENOUGH.items() for key in data]
)
def test_an_error_names_the_key_that_the_data_lack(start, name, key):
    data = {other: value for other, value in ENOUGH[name].items() if other != key}

    with pytest.raises(ValueError, match=f"lack '{key}', which {name} needs"):
        start(name, data)


@pytest.mark.parametrize("name", JOBTYPES)
def test_a_job_without_data_gets_a_clear_error(start, name):
    with pytest.raises(ValueError, match="The job's data lack"):
        start(name, None)


@pytest.mark.parametrize("name", JOBTYPES)
def test_the_environment_is_the_agents_with_the_jobs_on_top(start, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)

    run = start(name, ENOUGH[name], environ={"SHOW": "moon", "PATH": "/show/bin"})

    assert (
        run.command.env.items()
        >= {
            "SHOW": "moon",
            "PATH": "/show/bin",
            "TOOLS": "/tools",
        }.items()
    )


@pytest.mark.parametrize("name", [name for name in JOBTYPES if name != "Command"])
def test_the_executable_may_come_from_the_data_with_variables(start, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)

    run = start(name, {**ENOUGH[name], "executable": "$TOOLS/special"})

    assert run.command.command == "/tools/special"


@pytest.mark.parametrize("name", JOBTYPES)
def test_output_is_still_logged(start, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    run = start(name, ENOUGH[name])

    run.prints("hello")
    run.complains("oh")

    assert run.jobtype.log == ["hello", "oh"]


@pytest.mark.parametrize("name", JOBTYPES)
def test_a_bad_exit_code_fails_the_tasks(start, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)

    assert start(name, ENOUGH[name]).exits(failure(1)) == ["failed"]


# Blender.


def test_a_single_frame_becomes_a_blender_command(start):
    data = {"scene": "P:/a.blend", "output": "P:/img/a_####", "engine": "CYCLES"}

    run = start("Blender", data, frames=[12])

    assert run.line == (
        "blender -b /mnt/projects/a.blend -o /mnt/projects/img/a_#### -E CYCLES -f 12"
    )


def test_a_batch_of_frames_becomes_one_blender_command(start):
    run = start("Blender", ENOUGH["Blender"], frames=[1, 3, 5, 7])

    assert run.line == "blender -b /mnt/projects/a.blend -s 1 -e 7 -j 2 -a"


def test_unevenly_spaced_frames_are_given_to_blender_one_by_one(start):
    run = start("Blender", ENOUGH["Blender"], frames=[1, 2, 7])

    assert run.line == "blender -b /mnt/projects/a.blend -f 1 -f 2 -f 7"


CYCLES = "Fra:{frame} Mem:38.63M (Peak 38.97M) | Time:00:03.17 | Remaining:00:01.20 | {part}"


@pytest.mark.parametrize(
    ("part", "fraction"),
    [
        ("Mem:1.0M, Peak:1.0M | Scene, ViewLayer | Sample 32/128", 0.25),
        ("Mem:1.0M, Peak:1.0M | Scene, View Layer | Rendered 3/4 Tiles, Sample 0/64", 0.75),
        ("Mem:1.0M, Peak:1.0M | Scene, View Layer | Rendered 1/4 Tiles, Sample 32/64", 0.38),
        ("Mem:0.1M, Peak:0.1M | Scene, RenderLayer | Path Tracing Tile 12/60", 0.2),
        ("Rendering 16 / 64 samples", 0.25),
        ("Scene Part 8-16", 0.5),
    ],
)
def test_blender_tells_the_progress_of_the_frame(start, part, fraction):
    run = start("Blender", ENOUGH["Blender"], frames=[11, 12])

    run.prints(CYCLES.format(frame=12, part=part))

    assert run.jobtype.progress == [(12, fraction)]


def test_blenders_progress_is_reported_in_steps(start):
    run = start("Blender", ENOUGH["Blender"])

    for sample in range(1000):
        run.prints(CYCLES.format(frame=1, part=f"Sample {sample}/1000"))

    assert len(run.jobtype.progress) == 19


def test_a_frame_that_blender_saved_stays_done_when_it_crashes_later(start):
    run = start("Blender", ENOUGH["Blender"], frames=[1, 2])

    run.prints(
        """
        Fra:1 Mem:38.63M (Peak 38.97M) | Time:00:03.17 | Compositing
        Saved: '/img/0001.png'
         Time: 00:03.42 (Saving: 00:00.11)
        Fra:2 Mem:38.63M (Peak 38.97M) | Time:00:00.02 | Syncing Cube
        """
    )

    assert run.exits(failure(11)) == ["done", "failed"]


def test_a_blender_that_exits_with_0_short_of_a_frame_has_failed(start):
    run = start("Blender", ENOUGH["Blender"], frames=[1, 2])

    run.prints("Fra:1 Mem:8.19M (0.00M, Peak 10.2M) | Scene\nSaved: /img/0001.png Time: 00:01.2")

    assert run.exits() == ["done", "failed"]


def test_a_frame_that_blender_skips_because_it_exists_is_no_failure(start):
    run = start("Blender", ENOUGH["Blender"], frames=[1, 2])

    run.prints(
        """
        skipping existing frame "/img/0001.png"
        Fra:2 Mem:38.63M (Peak 38.97M) | Time:00:03.17 | Compositing
        Saved: '/img/0002.png'
        """
    )

    assert run.exits() == ["done", "done"]


def test_blender_5_saves_pictures_without_naming_the_frame_first(start):
    run = start("Blender", ENOUGH["Blender"], frames=[1, 2])

    run.prints("00:00.997  render           | Saved: '/img/0001.png'")
    assert not run.jobtype.is_successful(None, 0)
    run.prints("00:01.133  render           | Saved: '/img/0002.png'")

    assert run.exits() == ["done", "done"]


def test_a_scene_that_blender_cannot_read_fails_though_the_default_scene_is_saved(start):
    run = start("Blender", ENOUGH["Blender"])

    run.complains("Error: Cannot read file '/mnt/projects/a.blend': No such file or directory")
    run.prints("Fra:1 Mem:8.19M (Peak 10.2M) | Scene\nSaved: '/tmp/0001.png'")

    assert run.exits() == ["failed"]


def test_a_picture_that_blender_cannot_save_fails_its_frame(start):
    run = start("Blender", ENOUGH["Blender"])

    run.prints("Fra:1 Mem:8.19M (Peak 10.2M) | Scene")
    run.complains("Error: Render error (No such file or directory) cannot save: '/none/0001.png'")

    assert run.exits() == ["failed"]


def test_the_leaks_that_blender_tells_of_at_its_end_fail_nothing(start):
    run = start("Blender", ENOUGH["Blender"])

    run.prints("Fra:1 Mem:8.19M (Peak 10.2M) | Scene\nSaved: '/tmp/0001.png'")
    run.complains("Error: Not freed memory blocks: 3, total unfreed memory 0.002220 MB")

    assert run.exits() == ["done"]


class RenderSettings(types.SimpleNamespace):
    """bpy's render settings, as far as the script for tiles uses them."""

    def frame_path(self, frame):
        return f"{self.filepath.replace('####', f'{frame:04}')}.png"


def test_tiles_are_rendered_by_a_script_in_blender(start, monkeypatch, capsys):
    run = start("Blender", ENOUGH["Blender"], frames=[1, 2], tiles=[0, 1], num_tiles=4)
    *_, option, script = run.command.arguments
    assert option == "-P"
    render = RenderSettings(filepath="/img/a_####")
    saved = []
    bpy = types.ModuleType("bpy")
    bpy.context = types.SimpleNamespace(
        scene=types.SimpleNamespace(render=render, frame_set=lambda frame: None)
    )
    bpy.ops = types.SimpleNamespace(
        render=types.SimpleNamespace(
            render=lambda write_still: saved.append(
                (render.filepath, render.border_min_y, render.border_max_y)
            )
        )
    )
    monkeypatch.setitem(sys.modules, "bpy", bpy)

    exec(Path(script).read_text("ascii"), {})

    assert saved == [
        ("/img/a_0001_tile0.png", 0, 0.25),
        ("/img/a_0001_tile1.png", 0.25, 0.5),
        ("/img/a_0002_tile0.png", 0, 0.25),
        ("/img/a_0002_tile1.png", 0.25, 0.5),
    ]
    assert (render.border_min_x, render.border_max_x) == (0, 1)
    assert capsys.readouterr().out.splitlines()[1] == "PyFarm: frame 1 tile 1"


def test_a_tile_that_blender_saved_is_the_one_that_is_done(start):
    run = start("Blender", ENOUGH["Blender"], frames=[1], tiles=[2, 3], num_tiles=4)

    run.prints(
        """
        PyFarm: frame 1 tile 2
        Fra:1 Mem:38.63M (Peak 38.97M) | Time:00:03.17 | Sample 64/128
        Saved: '/img/0001_tile2.png'
        PyFarm: frame 1 tile 3
        Fra:1 Mem:38.63M (Peak 38.97M) | Time:00:03.17 | Sample 64/128
        """
    )

    assert run.jobtype.progress == [(1, 0.5), (1, 0.5)]
    assert run.exits(failure(11)) == ["done", "failed"]


# Maya.


def test_a_batch_of_frames_becomes_one_maya_command(start, tmp_path):
    data = {
        "scene": "P:/scenes/a.ma",
        "project": "P:/",
        "output_dir": "P:/img",
        "renderer": "arnold",
        "camera": "shotcam",
    }

    run = start("Maya", data, frames=[10, 12, 14])

    assert run.line == (
        "Render -r arnold -s 10 -e 14 -b 2 -proj /mnt/projects/ -rd /mnt/projects/img"
        " -cam shotcam /mnt/projects/scenes/a.ma"
    )
    assert run.command.env["MAYA_APP_DIR"] == str(tmp_path / "temporary")


def test_a_single_frame_becomes_a_maya_command(start):
    run = start("Maya", ENOUGH["Maya"], frames=[7])

    assert run.line == "Render -r file -s 7 -e 7 -b 1 /mnt/projects/a.ma"


def test_unevenly_spaced_frames_are_an_error_in_maya(start):
    with pytest.raises(ValueError, match=r"not \[1, 2, 7\]; keep batch_contiguous true"):
        start("Maya", ENOUGH["Maya"], frames=[1, 2, 7])


def test_arnold_in_maya_tells_the_progress_of_each_frame(start):
    run = start("Maya", ENOUGH["Maya"], frames=[11, 12])

    run.complains(
        """
        00:00:05  1195MB         |    45% done - 34 rays/pixel
        00:00:05  1195MB         |    47% done - 34 rays/pixel
        00:00:09  1195MB         | writing file `/mnt/v002/beauty.0011.exr'
        00:00:15  1195MB         |    50% done - 34 rays/pixel
        """
    )

    assert run.jobtype.progress == [(11, 0.45), (11, 1.0), (12, 0.5)]


def test_mayas_own_renderers_tell_the_progress_of_each_frame(start):
    run = start("Maya", ENOUGH["Maya"], frames=[11, 12])

    run.prints(
        """
        Info: (Mayatomr) : Percentage of rendering done: 40 (/p/a.ma)
        Finished Rendering /img/shot12.0011.iff.
        Finished Rendering /img/shot12.0012.iff.
        Percentage of rendering done: 20 (/p/a.ma)
        """
    )

    assert run.jobtype.progress == [(11, 0.4), (11, 1.0), (12, 1.0)]
    assert run.exits() == ["done", "done"]


@pytest.mark.parametrize(
    "line",
    [
        'Error: line 1: Cannot find procedure "shotSetup".',
        "// Error: file: /show/prerender.mel line 3: No object matches name: shotcam //",
        "Fatal Error. Attempting to save in /tmp/a.ma",
        "00:00:01   500MB ERROR   | [driver_exr] /img: could not create folder",
        "00:00:01   500MB WARNING | rendering with watermarks because of failed authorization:",
    ],
)
def test_a_maya_that_exits_with_0_after_an_error_has_failed(start, line):
    run = start("Maya", ENOUGH["Maya"], frames=[1, 2])

    run.complains(line)

    assert run.exits() == ["failed", "failed"]


def test_a_maya_job_may_ask_for_errors_to_be_ignored(start):
    run = start("Maya", {**ENOUGH["Maya"], "ignore_errors": True})

    run.complains('Error: line 1: Cannot find procedure "shotSetup".')

    assert run.exits(failure(0)) == ["done"]


# Nuke.


@pytest.mark.parametrize(
    ("frames", "arguments"),
    [
        ([5], "-F 5"),
        ([1, 2, 3, 4], "-F 1-4x1"),
        ([1, 11, 21], "-F 1-21x10"),
        ([1, 2, 9], "-F 1 -F 2 -F 9"),
    ],
)
def test_frames_become_one_nuke_command(start, frames, arguments):
    run = start("Nuke", ENOUGH["Nuke"], frames=frames)

    assert run.line == f"nuke {arguments} -x /mnt/projects/a.nk"


def test_nuke_renders_the_write_node_that_the_data_name(start, tmp_path):
    run = start("Nuke", {**ENOUGH["Nuke"], "write_node": "Write1"})

    assert run.line == "nuke -F 1 -X Write1 /mnt/projects/a.nk"
    assert run.command.env["NUKE_TEMP_DIR"] == str(tmp_path / "temporary")


def test_nuke_tells_which_frame_is_rendered(start):
    run = start("Nuke", ENOUGH["Nuke"], frames=[1001, 1002])

    run.prints("Writing /img/a.1001.exr took 0.85 seconds\nFrame 1001 (1 of 2)")

    assert run.jobtype.progress == [(1001, 1.0)]
    assert run.exits() == ["done", "done"]


def test_a_nuke_that_exits_with_0_after_an_error_has_failed(start):
    run = start("Nuke", ENOUGH["Nuke"], frames=[1, 2])

    run.complains("ERROR: Read1: /img/plate.0002.exr: No such file or directory")

    assert run.exits() == ["failed", "failed"]


# Houdini.


def test_a_batch_of_frames_becomes_one_houdini_command(start, tmp_path):
    data = {"scene": "P:/a.hip", "node": "/out/mantra1", "project": "P:/job"}

    run = start("Houdini", data, frames=[1, 2, 7])

    script = str(tmp_path / "temporary" / "render.py")
    assert run.line == f"hython {script} /mnt/projects/a.hip /out/mantra1 1 2 7"
    assert run.command.env["JOB"] == "/mnt/projects/job"


@pytest.fixture
def hython(monkeypatch):
    """Run the script of a Houdini command, with a scene that has one node; return its renders."""

    def hython(run, errors=()):
        rendered = []
        node = types.SimpleNamespace(
            render=lambda frame_range, **options: rendered.append(frame_range),
            errors=lambda: errors,
        )
        hou = types.ModuleType("hou")
        hou.hipFile = types.SimpleNamespace(load=lambda path, ignore_load_warnings: None)
        hou.node = {"/out/mantra1": node}.get
        monkeypatch.setitem(sys.modules, "hou", hou)
        script = run.command.arguments[0]
        monkeypatch.setattr(sys, "argv", list(run.command.arguments))
        exec(Path(script).read_text("ascii"), {})
        return rendered

    return hython


def test_houdini_renders_frame_by_frame_and_each_is_done_at_once(start, hython, capsys):
    run = start("Houdini", ENOUGH["Houdini"], frames=[1, 7])

    assert hython(run) == [(1, 1), (7, 7)]
    run.prints(capsys.readouterr().out)

    assert run.jobtype.states == {70: "done", 71: "done"}
    assert run.exits() == ["done", "done"]


def test_houdinis_script_fails_where_the_node_is_missing(start, hython):
    run = start("Houdini", {**ENOUGH["Houdini"], "node": "/out/karma"})

    with pytest.raises(SystemExit, match=r"Error: /mnt/projects/a.hip has no node /out/karma"):
        hython(run)


def test_houdinis_script_fails_where_the_node_has_errors(start, hython):
    run = start("Houdini", ENOUGH["Houdini"])

    with pytest.raises(SystemExit, match="Error: Missing camera"):
        hython(run, errors=("Missing camera",))


def test_houdini_tells_the_progress_of_the_frame(start):
    run = start("Houdini", ENOUGH["Houdini"], frames=[1, 2])

    run.prints("ALF_PROGRESS 50%\nALF_PROGRESS 52%\nPyFarm: frame 1 done\nALF_PROGRESS 25%")

    assert run.jobtype.progress == [(1, 0.5), (2, 0.25)]
    assert run.exits(failure(139)) == ["done", "failed"]


def test_a_renderer_that_failed_behind_hythons_back_fails_the_frame(start):
    run = start("Houdini", ENOUGH["Houdini"])

    run.complains("No licenses could be found to run this application.")
    run.prints("PyFarm: frame 1 done")

    assert run.exits() == ["failed"]


# FFmpeg.


@pytest.fixture
def movie(tmp_path):
    """The data of a movie of ten images."""
    output = str(tmp_path / "movies" / "a.mov")
    return {"input": "P:/a.%04d.png", "output": output, "start": 1001, "end": 1010}


def test_a_sequence_becomes_an_ffmpeg_command_and_the_folder_is_made(start, movie, tmp_path):
    run = start("FFmpeg", {**movie, "framerate": 25, "arguments": ["-c:v", "prores_ks"]})

    assert run.line == (
        "ffmpeg -y -nostdin -hide_banner -nostats -progress pipe:1 -framerate 25"
        " -start_number 1001 -i /mnt/projects/a.%04d.png -frames:v 10 -c:v prores_ks"
        f" {movie['output']}"
    )
    assert (tmp_path / "movies").is_dir()


def test_a_movie_is_h264_where_the_data_say_nothing_else(start, movie):
    run = start("FFmpeg", movie)

    assert " -framerate 24 " in run.line
    assert " -c:v libx264 -pix_fmt yuv420p " in run.line


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"start": "first"}, "'start' must be an integer, not 'first'"),
        ({"end": 1000}, "'end' comes before 'start'"),
        ({"arguments": "-c:v prores_ks"}, "'arguments' must be a list, not '-c:v prores_ks'"),
    ],
)
def test_movie_data_that_make_no_sense_are_an_error(start, movie, data, message):
    with pytest.raises(ValueError, match=message):
        start("FFmpeg", {**movie, **data})


def progress_of_ffmpeg(frame, state):
    return f"frame={frame}\nfps=0.00\nout_time=00:00:00.040000\nspeed=1.1x\nprogress={state}"


def test_ffmpeg_tells_the_progress_of_the_movie(start, movie):
    run = start("FFmpeg", movie)

    run.prints(progress_of_ffmpeg(4, "continue"))
    run.prints(progress_of_ffmpeg(10, "end"))

    assert run.jobtype.progress == [(1, 0.4), (1, 1.0)]
    assert run.exits() == ["done"]


def test_an_ffmpeg_that_stopped_at_a_missing_image_has_failed(start, movie):
    run = start("FFmpeg", movie)

    run.prints(progress_of_ffmpeg(6, "end"))

    assert run.exits(failure(0)) == ["failed"]


# Command.


def test_a_command_gets_the_frame_in_its_arguments(start):
    data = {
        "command": "P:/bin/convert",
        "arguments": ["in.{frame:4}.exr", "$TOOLS/lut", "out.{frame}.jpg", "-x", 3, "{other}"],
        "cwd": "P:/img",
    }

    run = start("Command", data, frames=[12])

    assert run.line == "/mnt/projects/bin/convert in.0012.exr /tools/lut out.12.jpg -x 3 {other}"
    assert run.command.cwd == "/mnt/projects/img"


def test_a_commands_arguments_must_be_a_list(start):
    with pytest.raises(ValueError, match="'arguments' must be a list, not '-l'"):
        start("Command", {"command": "ls", "arguments": "-l"})


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        (0, "failed"),
        (2, "done"),
        (failure(2), "done"),
        (failure(1), "failed"),
        (failure(None), "failed"),
    ],
)
def test_a_command_may_have_exit_codes_of_its_own(start, reason, state):
    run = start("Command", {"command": "grep", "exit_codes": [2]})

    assert run.exits(reason) == [state]


# The software catalogue.

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
