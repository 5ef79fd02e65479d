"""HTTP and the command line over gitstore: translate, never decide."""

from __future__ import annotations

from flask import Flask
from werkzeug.routing import BaseConverter

from api import auth, diffs, errors, git_http, jobtypes, software
from api.config import Config
from api.housekeeping import Housekeeping
from api.tokens import Tokens
from gitstore import Store

PREFIX = "/api/v1"


class _Number(BaseConverter):
    """A version number: ASCII digits, no leading zero."""

    regex = "0|[1-9][0-9]{0,17}"

    def to_python(self, value: str) -> int:
        return int(value)


class _SoftwareName(BaseConverter):
    """A software's name or version as it stands in the path, slashes and all."""

    regex = "/?[^/](?:.*[^/])?"
    part_isolating = False


def create_app(config: Config) -> Flask:
    """The service as a WSGI application.

    Raises:
        NoRepository: there is none at ``config.repo``.
    """
    app = Flask("api", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = config.body_limit_bytes
    store = Store(config.repo, config.ref, config.checks)
    app.extensions["jobtypes"] = store
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.url_map.converters |= {"number": _Number, "software": _SoftwareName}
    auth.install(app, auth.Gate(config, Tokens(store.repository.git_dir)))
    transports = git_http.install(app, config, store)
    app.extensions["housekeeping"] = Housekeeping(store, transports.end_idle, config.housekeeping_s)
    diffs.install(app)
    app.register_blueprint(jobtypes.blueprint, url_prefix=PREFIX)
    app.register_blueprint(software.blueprint, url_prefix=PREFIX)
    errors.install(app)
    return app
