"""The real nginx in front of services."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.project import ROOT
from tests.support.server import Server, free_port
from tests.support.waiting import wait_for

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
USER = " user root;" if os.geteuid() == 0 else ""
"""The user that runs the tests owns the folder."""

_CONFIGURATION = ROOT / "deploy" / "nginx.conf"
_SERVERS = tuple(f"{name}.studio.example:8080" for name in ("primary", "replica1", "replica2"))

needs_nginx = pytest.mark.skipif(NGINX is None, reason="needs nginx (Debian: nginx-light)")


class Proxy(Server):
    """nginx, spoken to as a service is.

    Its configuration *text* listens at port 80 and may have one cache; here, it gets a free port
    and keeps all its files in *folder*.
    """

    def __init__(self, folder: Path, text: str) -> None:
        self.folder = folder
        self.port = free_port()
        text, listens = re.subn(r"listen 80;", f"listen 127.0.0.1:{self.port};", text)
        text, caches = re.subn(r"proxy_cache_path \S+", f"proxy_cache_path {folder}/cache", text)
        assert listens == 1
        assert caches <= 1
        temporary = "".join(
            f"{kind}_temp_path {folder}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (folder / "nginx.conf").write_text(text.replace("http {", f"http {{\n{temporary}", 1))
        self.start()

    def start(self) -> None:
        assert NGINX is not None
        own = f"daemon off; pid {self.folder}/nginx.pid;{USER}"
        self.log = self.folder / "nginx.log"
        with self.log.open("wb") as log:
            command = [NGINX, "-p", str(self.folder), "-c", "nginx.conf", "-e", "stderr", "-g", own]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for(self._answers, f"nginx to answer; it said {self.log.read_text()}")


def shipped_proxy(folder: Path, *ports: int) -> Proxy:
    """nginx with the configuration that is shipped, for a primary and two replicas at *ports*."""
    text = _CONFIGURATION.read_text("ascii")
    for server, port in zip(_SERVERS, ports, strict=True):
        assert server in text
        text = text.replace(server, f"127.0.0.1:{port}")
    return Proxy(folder, text)
