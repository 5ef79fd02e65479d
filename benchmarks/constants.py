"""Baselines: applications that give one constant answer, run by the service's own server.

The answer is in the file that the variable BENCH_ANSWER names: {"status", "headers",
"body"} of a real answer of the service.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask, Response

from api.config import Config
from api.server import serve

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def _answer() -> tuple[str, list[tuple[str, str]], bytes]:
    answer = json.loads(Path(os.environ["BENCH_ANSWER"]).read_text())
    headers = [(name, value) for name, value in answer["headers"]]
    return answer["status"], headers, answer["body"].encode()


def bare(config: Config, *_: object) -> WSGIApplication:
    """A WSGI callable."""
    status, headers, body = _answer()

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, list(headers))
        return [body]

    return application


def flask(config: Config, *_: object) -> WSGIApplication:
    """A Flask application with one route."""
    _, headers, body = _answer()
    app = Flask("constant", static_folder=None)

    @app.get("/api/v1/jobtypes/<name>/versions/<int:number>")
    def constant(name: str, number: int) -> Response:
        return Response(body, 200, headers)

    return app


def main(kind: str, port: str) -> None:
    """Serve the baseline *kind* with the service's settings."""
    serve._load = globals()[kind]
    serve.serve(Config(Path("."), port=int(port)), announce=lambda: None)


if __name__ == "__main__":
    from benchmarks import constants

    constants.main(*sys.argv[1:])
