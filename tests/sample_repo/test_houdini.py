"""The jobtype Houdini, run as an agent would run it."""

from __future__ import annotations

import re
import sys
import threading
import types
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.sample_repo.agent import ENOUGH, failure
from tests.sample_repo.sample import SAMPLE
from tests.support.project import ROOT


def test_a_batch_of_frames_becomes_one_houdini_command(start, tmp_path):
    data = {"scene": "P:/a.hip", "node": "/out/mantra1", "project": "P:/job"}

    run = start("Houdini", data, frames=[1, 2, 7])

    script = str(tmp_path / "temporary" / "render.py")
    assert run.line == f"hython {script} /mnt/projects/a.hip /out/mantra1 1 2 7"
    assert run.command.env["JOB"] == "/mnt/projects/job"


def test_the_script_is_fetched_where_only_the_code_is(tmp_path, monkeypatch):
    asked = []

    class Api(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"script\n")

        def log_message(self, *args):
            pass

    module = {"__name__": "cached", "__file__": str(tmp_path / "Houdini_v3.py")}
    code = (SAMPLE / "jobtypes" / "Houdini" / "code.py").read_text("ascii")
    exec(code.partition("class Houdini")[0].replace("from pyfarm", "# from pyfarm"), module)
    jobtype = types.SimpleNamespace(assignment={"jobtype": {"name": "My Houdini", "version": 3}})
    with HTTPServer(("127.0.0.1", 0), Api) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        monkeypatch.setenv("JOBTYPES_URL", f"http://127.0.0.1:{server.server_port}/api/v1/")
        assert module["own_file"](jobtype, "render.py") == b"script\n"
        thread.join()

    assert asked == ["/api/v1/jobtypes/My%20Houdini/versions/3/files/render.py"]


def test_the_code_that_fetches_is_that_of_the_documentation():
    page = (ROOT / "docs" / "agents.md").read_text("utf-8")
    (snippet,) = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    code = (SAMPLE / "jobtypes" / "Houdini" / "code.py").read_text("ascii")

    assert snippet[snippet.index("def own_file") :] in code


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

    assert run.states == ["done", "done"]
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

    assert run.progress == [(1, 0.5), (2, 0.25)]
    assert run.exits(failure(139)) == ["done", "failed"]


def test_a_renderer_that_failed_behind_hythons_back_fails_the_frame(start):
    run = start("Houdini", ENOUGH["Houdini"])

    run.complains("No licenses could be found to run this application.")
    run.prints("PyFarm: frame 1 done")

    assert run.exits() == ["failed"]
