"""The released PyFarm, unmodified: its master, its scheduler and an agent, on loopback.

They run on Python 2.7. The scheduler's broker is a file of SQLite, so no Redis is needed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.support.python27 import Environment
from tests.support.server import free_port
from tests.support.waiting import wait_for

MASTER = Environment(
    "pyfarm-master",
    (
        (
            *("pyfarm.core==0.9.3", "pyfarm.master==0.8.6", "Flask==0.10.1", "Werkzeug==0.10.4"),
            *("SQLAlchemy==1.0.12", "Flask-SQLAlchemy==2.0", "Flask-Login==0.3.2"),
            *("celery==3.1.26.post2", "itsdangerous<1", "blinker<1.5", "voluptuous<0.12"),
            *("redis<3", "requests<2.20", "netaddr==0.7.14", "lockfile", "wtforms<2.3"),
            *("flask-wtf<0.13", "Jinja2<2.9", "MarkupSafe<1.1", "PyYAML<5.1", "gunicorn<20"),
            *("colorama", "logutils"),
        ),
    ),
)
AGENT = Environment(
    "pyfarm-agent",
    (
        # Twisted's set-up would get a later incremental by itself, which fails.
        ("incremental==21.3.0", "typing"),
        (
            *("Twisted==18.9.0", "treq==17.8.0", "attrs<21", "zope.interface<5.3"),
            *("constantly<16", "Automat<20.3", "hyperlink<21", "PyHamcrest<2", "requests<2.20"),
            *("netaddr<0.8", "ntplib", "voluptuous<0.12", "Jinja2<2.9", "MarkupSafe<1.1"),
            *("psutil<5.7", "netifaces==0.10.9", "pyasn1", "PyYAML<5.1", "colorama"),
            *("logutils", "pyOpenSSL<20", "service_identity<19"),
        ),
        ("--no-deps", "pyfarm.core==0.9.3", "pyfarm.agent==0.8.6"),
    ),
)
WSGI = "from pyfarm.master.entrypoints import create_app\n\napp = create_app()\n"
"""The file that the master's WSGI server loads."""
DONE, FAILED = "done", "failed"


@dataclass
class RealMaster:
    """A master and its scheduler in *folder*. *wsgi* is the file that its WSGI server loads."""

    folder: Path
    wsgi: str = WSGI
    port: int = field(default_factory=free_port)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.database = f"sqlite:///{self.folder / 'pyfarm.db'}"
        self.logs = self.folder / "task_logs"

    @property
    def url(self) -> str:
        """Where its API begins."""
        return f"http://127.0.0.1:{self.port}/api/v1"

    @property
    def variables(self) -> dict[str, str]:
        return _clean() | {
            # A mirror, the master and the scheduler write one file.
            "PYFARM_DATABASE_URI": f"{self.database}?timeout=60",
            "PYFARM_SCHEDULER_BROKER": f"sqla+sqlite:///{self.folder / 'broker.db'}?timeout=60",
            "PYFARM_SCHEDULER_INTERVAL": "5",
            "PYFARM_SCHEDULER_LOCKFILE_BASE": str(self.folder / "scheduler"),
            "PYFARM_DEV_ALLOW_AGENT_LOOPBACK_ADDRESSES": "true",
            "PYFARM_LOGFILES_DIR": str(self.logs),
            "PYFARM_BASE_URL": f"http://127.0.0.1:{self.port}",
            "C_FORCE_ROOT": "1",  # CI runs as root.
            "HOME": str(self.folder),
        }

    def make_tables(self) -> None:
        """Make its tables, as its own command does."""
        self._run("-c", "from pyfarm.master.entrypoints import tables; tables()")

    def _run(self, *args: str) -> None:
        command = [MASTER.program("python"), *args]
        done = subprocess.run(
            command, cwd=self.folder, env=self.variables, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()

    def start(self) -> None:
        """Start the web server and the scheduler; return when it answers."""
        (self.folder / "studio_master.py").write_text(self.wsgi)
        # With more workers, a late "running" may overwrite the "done" of a short task.
        at = ("-b", f"127.0.0.1:{self.port}", "-w", "1")
        self._start("gunicorn", *at, "--pythonpath", str(self.folder), "studio_master:app")
        broker = ("-A", "pyfarm.scheduler.celery_app", "--workdir", str(self.folder))
        beat = ("-B", "-s", str(self.folder / "beat"), "-c", "1", "-l", "info")
        self._start("celery", "worker", *broker, *beat)
        wait_for(self._answers, f"the master; see {self.folder}")

    def _answers(self) -> bool:
        require_alive(self.running, self.folder)
        return answers(f"{self.url}/jobtypes/")

    def _start(self, name: str, *args: str) -> None:
        self.running.append(start(self.folder, name, MASTER.program(name), args, self.variables))

    def stop(self) -> None:
        stop(self.running)

    def call(self, method: str, path: str, body: object = None) -> Any:
        """What its API answers, from JSON."""
        status, data = call(method, f"{self.url}{path}", body)
        assert status < 300, (status, data)
        return data

    def execute(self, statement: str, *values: object) -> list[Any]:
        """The rows that a statement gives, in its database."""
        file = self.folder / "pyfarm.db"
        with closing(sqlite3.connect(file, timeout=60)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def log_bytes(self) -> int:
        """The size of the largest log of a task that it has."""
        return max((path.stat().st_size for path in self.logs.glob("*")), default=0)

    def submit(self, jobtype: str, data: object, frames: int = 1, **more: object) -> dict[str, Any]:
        """A new job of that many frames, from 1 on."""
        sent = {"jobtype": jobtype, "title": "shot", "start": 1, "end": frames, "data": data}
        made: dict[str, Any] = self.call("POST", "/jobs/", sent | {"batch": 100} | more)
        return made

    def finished(self, job: Mapping[str, Any], folder: Path | None = None) -> list[str]:
        """The states of a job's tasks when all have ended.

        A task of frame 1 may wait for the file "1.running" in *folder*. The agent reports the
        start and the end on two connections. If the end comes first, the master keeps the start.
        """
        states: list[str] = []

        def is_finished() -> bool:
            tasks = self.call("GET", f"/jobs/{job['id']}/tasks/")
            states[:] = [task["state"] for task in tasks]
            for task in tasks:
                if folder is not None and task["state"] == "running":
                    (folder / f"{task['frame']:.0f}.running").touch()
            return set(states) <= {DONE, FAILED}

        wait_for(is_finished, f"job {job['id']}; see {self.folder}")
        return states


@dataclass
class RealAgent:
    """An agent in *folder*, which asks the API at *master_api* for everything.

    *variables* are those of its environment in addition to this machine's.
    """

    folder: Path
    master_api: str
    variables: Mapping[str, str] = field(default_factory=dict)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    id: str = field(default_factory=lambda: str(uuid4()))
    port: int = field(default_factory=lambda: agent_port())

    def start(self, *options: str) -> None:
        self.folder.mkdir(exist_ok=True)
        own_folder = {"HOME": str(self.folder), "TMPDIR": str(self.folder)}
        variables = _clean() | own_folder | self.variables
        own = ("--agent-id", self.id, "--port", str(self.port), "--no-daemon")
        own += ("--agent-id-file", str(self.folder / "uuid.dat"))
        own += ("--master", "127.0.0.1", "--master-api", self.master_api)
        # The released package lacks the pictures of its own pages.
        (self.folder / "favicon.ico").touch()
        args = (*own, "start", "--time-offset", "0", "--static-files", str(self.folder), *options)
        name = "pyfarm-agent"
        self.running.append(start(self.folder, name, AGENT.program(name), args, variables))

    def wait_until_known(self, master: RealMaster) -> dict[str, Any]:
        """What *master* says about the agent, as soon as it has it."""
        wait_for(lambda: self._row(master) is not None, f"the agent; see {self.folder}")
        found = self._row(master)
        assert found is not None
        return found

    def _row(self, master: RealMaster) -> dict[str, Any] | None:
        require_alive(self.running, self.folder)
        status, found = call("GET", f"{master.url}/agents/{self.id}")
        return found if status == 200 else None

    def stop(self) -> None:
        stop(self.running)


def require_alive(running: list[subprocess.Popen[bytes]], folder: Path) -> None:
    """Fail with what was said if a process has ended."""
    for process in running:
        logs = {path.name: path.read_text()[-2000:] for path in folder.glob("*.log")}
        assert process.poll() is None, (process.args, logs)


def _clean() -> dict[str, str]:
    """The variables of this machine but for those that are PyFarm's."""
    own = ("PYFARM_", "PYTHON", "XDG_")
    return {name: value for name, value in os.environ.items() if not name.startswith(own)}


def start(
    folder: Path, name: str, program: str, args: tuple[str, ...], variables: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start a program in a group of its own; what it says goes to *name*.log."""
    with (folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            [program, *args],
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def stop(running: list[subprocess.Popen[bytes]]) -> None:
    """End processes, and what they started."""
    while running:
        process = running.pop()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def call(method: str, url: str, body: object = None, **headers: str) -> tuple[int, Any]:
    """The status and the content of an answer; a *body* of bytes is sent as it is."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    sent = {"Content-Type": "application/json"} | headers
    request = urllib.request.Request(url, data, sent, method=method)
    try:
        with urllib.request.urlopen(request, timeout=120) as response:
            status, content = response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            status, content = error.code, error.read()
    return status, json.loads(content) if content[:1] in b'{["' and content else content


def answers(url: str) -> bool:
    try:
        return call("GET", url)[0] == 200
    except OSError:
        return False


def agent_port() -> int:
    """A free port of those that agents may have."""
    while True:
        port = random.randrange(49152, 65536)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
