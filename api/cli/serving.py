"""The command serve: its options. What it runs is imported when it runs."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from api.cli.notices import speak
from api.cli.options import (
    Setting,
    Subject,
    branch_option,
    raw_checks_options,
    repo_option,
    setting,
)
from api.config import BYTES_LIMIT, SECONDS_LIMIT, Config, ConfigError, LogFormat, Writes
from api.telemetry import logs
from gitstore.checks.settings import CodeChecks
from gitstore.format.layout import CODE_LIMIT_BYTES, YAML_LIMIT_BYTES

_UNIX = ("fcntl", "resource")
"""Modules of Python's that Windows lacks."""


where = partial(setting, subject=Subject.WHERE)
writers = partial(setting, subject=Subject.WRITERS)
limit = partial(setting, subject=Subject.LIMITS)
master = partial(setting, subject=Subject.MASTER)
upstream = partial(setting, subject=Subject.UPSTREAM)
log = partial(setting, subject=Subject.LOG)
seconds = partial(click.IntRange, max=SECONDS_LIMIT)
size = partial(click.IntRange, max=BYTES_LIMIT)


class _NumberRange(click.FloatRange):
    """A range of numbers; click takes NaN for part of any."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number that *value* is."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value} is no number.", param, ctx)
        return number


class _BySubject(click.Command):
    """A command whose help has a section for each subject of its settings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections, in the order in which the command has its settings."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                about = param.subject if isinstance(param, Setting) else Subject.OTHER
                sections.setdefault(about, []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)


@click.command(cls=_BySubject)
@repo_option
@branch_option
@where("--host", help="The address to listen at.")
@where("--port", type=click.IntRange(1, 65535), help="The port.")
@where("--public-url", help="The URL that clients reach it at, through a proxy.")
@where("--workers", type=click.IntRange(1, 256), help="Worker processes.")
@where("--threads", type=click.IntRange(4, 1024), help="Threads a worker.")
@where("--hot-bytes", type=size(0), help="Memory for ready answers; 0 for none.")
@where("--hot-path/--no-hot-path", help="Send ready answers before Flask is asked.")
@writers("--read-only", is_flag=True, help="Take no writes.")
@writers("--insecure-writes", is_flag=True, help="Take anybody's writes, beyond loopback too.")
@writers("--read-needs-token", is_flag=True, help="Let nobody read without a token.")
@writers("--cors-origins", multiple=True, metavar="ORIGIN", help="Sites whose pages may read.")
@writers("--protect", is_flag=True, help="Move the branch by merges alone, and by admins.")
@writers("--require-approvals", type=click.IntRange(0, 100), help="Approvals that a merge needs.")
@limit("--body-limit-bytes", type=size(1024), help="Size of a REST body.")
@limit("--body-limit-s", type=seconds(1), help="Seconds to wait for a REST body.")
@limit("--code-limit-bytes", type=click.IntRange(1, CODE_LIMIT_BYTES), help="Size of code.")
@limit("--meta-limit-bytes", type=click.IntRange(1, YAML_LIMIT_BYTES), help="Size of a YAML.")
@limit("--push-limit-bytes", type=size(1024), help="Size of a push.")
@limit("--push-jobtypes-limit", type=click.IntRange(1), help="Jobtypes that a push changes.")
@limit("--push-refs-limit", type=click.IntRange(1), help="Refs that a push moves.")
@limit("--file-limit-bytes", type=size(1024), help="Size of another file.")
@limit("--tree-limit-bytes", type=size(1024), help="Size of all files of a push.")
@limit("--write-places", type=click.IntRange(1), help="REST writes at once, a worker.")
@limit("--write-limit-s", type=seconds(1), help="Seconds that a write may lose races.")
@limit("--review-places", type=click.IntRange(1), help="Previews at once, a worker.")
@limit("--git-places", type=click.IntRange(1), help="Clones and pushes at once, a worker.")
@limit("--file-places", type=click.IntRange(1), help="Archives at once, a worker.")
@limit("--git-idle-s", type=seconds(1), help="Seconds until a hanging clone is ended.")
@limit("--git-limit-s", type=seconds(1), help="Seconds that a clone or push may take.")
@limit("--housekeeping-s", type=seconds(1), help="Seconds between two housekeepings.")
@limit("--connections", type=click.IntRange(16, 1_000_000), help="Connections at once, a worker.")
@limit("--connection-idle-s", type=seconds(1), help="Seconds to wait for a request.")
@limit(
    "--answer-idle-s",
    type=seconds(1),
    help="Seconds until a client that reads nothing is closed.",
)
@master("--mirror", help="Keep the tables of the PyFarm master's database at this URL in step.")
@master("--mirror-wait-s", type=_NumberRange(0, 30), help="Seconds that a write waits for it.")
@upstream("--upstream", help="Follow the repository at this URL; --repo is its local copy.")
@upstream(
    "--writes",
    type=click.Choice([w.value for w in Writes]),
    help="With an upstream, what becomes of REST writes: pushed there, or there for review.",
)
@upstream(
    "--poll-s",
    "--poll",
    type=seconds(1),
    help="Seconds between two fetches from upstream.",
)
@upstream("--fetch-limit-s", type=seconds(1), help="Seconds until a fetch is given up.")
@upstream("--fetch-pause-s", type=seconds(0), help="Seconds between two fetches at least.")
@upstream("--fetch-fsck", multiple=True, metavar="ID=LEVEL", help="What a fault counts, as in Git.")
@upstream("--upstream-stale-s", type=seconds(1), help="Age at which health complains.")
@upstream("--webhook-secret", help="The secret that the forge signs its webhooks with.")
@log(
    "--log-format",
    type=click.Choice([f.value for f in LogFormat]),
    help="How the log is written: for people, or as JSON lines.",
)
@log("--access-log/--no-access-log", help="Log a line for each request.")
@raw_checks_options
def serve(repo: Path, code_checks: str, writes: str, log_format: str, **settings: object) -> None:
    """Serve the jobtypes of a repository over HTTP.

    Each setting is an option, a variable and a name in the file of --config, the first of which
    wins: --git-idle-s, JOBTYPES_GIT_IDLE_S and git_idle_s. docs/settings.md explains each.
    """
    logs.set_up(LogFormat(log_format))
    speak(click.get_current_context(), LogFormat(log_format))
    try:
        from api.cli.starting import check
        from api.server.serve import serve as run
    except ModuleNotFoundError as error:
        if error.name not in _UNIX:
            raise
        raise ConfigError("serve runs on Linux and macOS; what only reads runs here, too") from None

    config = replace(
        Config(
            Path(os.path.realpath(repo)),
            code_checks=CodeChecks(code_checks),
            writes=Writes(writes),
            log_format=LogFormat(log_format),
        ),
        **settings,  # type: ignore[arg-type]  # click has converted each to its field's type
    )
    # The store ends with this call: each worker is a fork, and opens its own.
    run(config, check(config))
