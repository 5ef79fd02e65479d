"""An agent's requests load no code of the pages."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.support.project import ROOT

PROGRAM = """
import json, sys
from pathlib import Path
from api.app import create_app
from api.config import Config

client = create_app(Config(Path(sys.argv[1]))).test_client()

def loaded():
    ours = ("api.pages", "api.web.sessions")
    names = {name for name in sys.modules if name.startswith(ours)}
    return sorted(names | {"pygments", "markdown_it"} & sys.modules.keys())

for path in ("", "/Blender", "/Blender/versions/1", "/Blender/versions/1/code", "/never"):
    client.get("/api/v1/jobtypes" + path)
client.get("/diff/Blender/1..1")
client.put("/api/v1/jobtypes/Blender", json={})
before = loaded()
client.get("/jobtypes/Blender")
print(json.dumps([before, loaded()]))
"""


def test_reads_and_writes_of_the_api_load_no_code_of_the_pages(sample):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(sample)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    before, after = json.loads(done.stdout)
    assert before == ["api.pages", "api.pages.diffs", "api.pages.routes"]
    assert {"api.pages.jobtypes", "api.pages.rendering", "pygments", "markdown_it"} <= set(after)
