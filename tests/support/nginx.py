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
_SERVERS = (
    *(f"{name}.studio.example:8080" for name in ("primary", "replica1", "replica2")),
    "master.studio.example:5000",
)
_CERTIFICATE = (
    *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
    *("-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
)

needs_nginx = pytest.mark.skipif(NGINX is None, reason="needs nginx (Debian: nginx-light)")


class Proxy(Server):
    """nginx, spoken to as a service is.

    The servers of its configuration *text* listen at port 80, and it may have one cache; here,
    they get a free port, and all its files are in *folder*.
    """

    def __init__(self, folder: Path, text: str) -> None:
        self.folder = folder
        self.port = free_port()
        text, listens = re.subn(r"listen 80\b", f"listen 127.0.0.1:{self.port}", text)
        text, caches = re.subn(r"proxy_cache_path \S+", f"proxy_cache_path {folder}/cache", text)
        assert listens >= 1
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


class ShippedProxy(Proxy):
    """nginx with the configuration that is shipped.

    *ports* are those of a primary, of two replicas, and of PyFarm's master. ``tls_port`` is where
    nginx speaks TLS, with the certificate of *folder*.
    """

    def __init__(self, folder: Path, *ports: int) -> None:
        make_certificate(folder)
        self.tls_port = free_port()
        places = dict(zip(_SERVERS, (f"127.0.0.1:{port}" for port in ports), strict=True))
        places["listen 443"] = f"listen 127.0.0.1:{self.tls_port}"
        places |= {
            f"/etc/nginx/tls/jobtypes.{end}": f"{folder}/tls.{end}" for end in ("crt", "key")
        }
        text = _CONFIGURATION.read_text("ascii")
        for shipped, here in places.items():
            assert shipped in text
            text = text.replace(shipped, here)
        super().__init__(folder, text)


def shipped_proxy(folder: Path, *ports: int) -> ShippedProxy:
    """nginx as it is shipped, for three services at *ports*, and perhaps a master."""
    return ShippedProxy(folder, *ports, *([free_port()] if len(ports) == 3 else []))


def make_certificate(folder: Path) -> None:
    """Make tls.crt and tls.key for 127.0.0.1 in *folder*; skip the test without openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    files = ("-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt"))
    subprocess.run(["openssl", *_CERTIFICATE, *files], check=True, capture_output=True)
