"""The command serve: its options. What it runs is imported when it runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from api.cli.options import branch_option, raw_checks_options, repo_option, setting
from api.config import Config, ConfigError, LogFormat, Writes
from gitstore.checks.settings import CodeChecks
from gitstore.format.layout import CODE_LIMIT_BYTES, YAML_LIMIT_BYTES

_UNIX = ("fcntl", "resource")
"""Modules of Python's that Windows lacks."""


@click.command()
@repo_option
@branch_option
@setting("--host", help="The address to listen at.")
@setting("--port", type=click.IntRange(1, 65535), help="The port.")
@setting("--public-url", help="The URL that clients reach it at, through a proxy.")
@setting("--workers", type=click.IntRange(1, 256), help="Worker processes.")
@setting("--threads", type=click.IntRange(4, 1024), help="Threads a worker.")
@setting("--connections", type=click.IntRange(16), help="Connections at once, a worker.")
@setting("--connection-idle-s", type=click.IntRange(1), help="Seconds to wait for a request.")
@setting(
    "--answer-idle-s",
    type=click.IntRange(1),
    help="Seconds until a client that reads nothing is closed.",
)
@setting("--read-only", is_flag=True, help="Take no writes.")
@setting("--insecure-writes", is_flag=True, help="Take anybody's writes, beyond loopback too.")
@setting("--read-needs-token", is_flag=True, help="Let nobody read without a token.")
@setting("--cors-origins", multiple=True, metavar="ORIGIN", help="Sites whose pages may read.")
@setting("--body-limit-bytes", type=click.IntRange(1024), help="Size of a REST body.")
@setting("--body-limit-s", type=click.IntRange(1), help="Seconds to wait for a REST body.")
@setting("--code-limit-bytes", type=click.IntRange(1, CODE_LIMIT_BYTES), help="Size of code.")
@setting("--meta-limit-bytes", type=click.IntRange(1, YAML_LIMIT_BYTES), help="Size of a YAML.")
@setting("--push-limit-bytes", type=click.IntRange(1024), help="Size of a push.")
@setting("--push-jobtypes-limit", type=click.IntRange(1), help="Jobtypes that a push changes.")
@setting("--push-refs-limit", type=click.IntRange(1), help="Refs that a push moves.")
@setting("--file-limit-bytes", type=click.IntRange(1024), help="Size of another file.")
@setting("--tree-limit-bytes", type=click.IntRange(1024), help="Size of all files of a push.")
@setting("--write-places", type=click.IntRange(1), help="REST writes at once, a worker.")
@setting("--write-limit-s", type=click.IntRange(1), help="Seconds that a write may lose races.")
@setting("--review-places", type=click.IntRange(1), help="Previews at once, a worker.")
@setting("--git-places", type=click.IntRange(1), help="Clones and pushes at once, a worker.")
@setting("--file-places", type=click.IntRange(1), help="Archives at once, a worker.")
@setting("--git-idle-s", type=click.IntRange(1), help="Seconds until a hanging clone is ended.")
@setting("--git-limit-s", type=click.IntRange(1), help="Seconds that a clone or push may take.")
@setting("--housekeeping-s", type=click.IntRange(1), help="Seconds between two housekeepings.")
@setting("--protect", is_flag=True, help="Move the branch by merges alone, and by admins.")
@setting("--require-approvals", type=click.IntRange(0, 100), help="Approvals that a merge needs.")
@setting("--mirror", help="Keep the tables of the PyFarm master's database at this URL in step.")
@setting("--mirror-wait-s", type=click.FloatRange(0, 30), help="Seconds that a write waits for it.")
@setting("--upstream", help="Follow the repository at this URL; --repo is its local copy.")
@setting(
    "--writes",
    type=click.Choice([w.value for w in Writes]),
    help="With an upstream, what becomes of REST writes: pushed there, or there for review.",
)
@setting(
    "--poll-s",
    "--poll",
    type=click.IntRange(1),
    help="Seconds between two fetches from upstream.",
)
@setting("--fetch-limit-s", type=click.IntRange(1), help="Seconds until a fetch is given up.")
@setting("--fetch-pause-s", type=click.IntRange(0), help="Seconds between two fetches at least.")
@setting("--fetch-fsck", multiple=True, metavar="ID=LEVEL", help="What a fault counts, as in Git.")
@setting("--upstream-stale-s", type=click.IntRange(1), help="Age at which health complains.")
@setting("--webhook-secret", help="The secret that the forge signs its webhooks with.")
@setting(
    "--log-format",
    type=click.Choice([f.value for f in LogFormat]),
    help="How the log is written: for people, or as JSON lines.",
)
@setting("--access-log/--no-access-log", help="Log a line for each request.")
@setting("--hot-bytes", type=click.IntRange(0), help="Memory for ready answers; 0 for none.")
@setting("--hot-path/--no-hot-path", help="Send ready answers before Flask is asked.")
@raw_checks_options
def serve(repo: Path, code_checks: str, writes: str, log_format: str, **settings: object) -> None:
    """Serve the jobtypes of a repository over HTTP."""
    try:
        from api.cli.starting import check
        from api.server.serve import serve as run
    except ModuleNotFoundError as error:
        if error.name not in _UNIX:
            raise
        raise ConfigError("serve runs on Linux and macOS; the other commands run here") from None

    config = replace(
        Config(
            repo.resolve(),
            code_checks=CodeChecks(code_checks),
            writes=Writes(writes),
            log_format=LogFormat(log_format),
        ),
        **settings,  # type: ignore[arg-type]  # click has converted each to its field's type
    )
    # The store ends with this call: each worker is a fork, and opens its own.
    run(config, check(config))
