"""Warnings and errors of a command: lines for people, or those of a log in JSON.

The format of a service's log is known only when its options are read. What is said before that
waits until then.
"""

from __future__ import annotations

import logging

import click

from api.config import LogFormat
from gitstore.format.layout import escaped_lines

_LOG = logging.getLogger(__name__)
_WAITING, _IS_LOG = f"{__name__}.waiting", f"{__name__}.is_log"


def warn_later(ctx: click.Context, text: str) -> None:
    """Keep the warning *text* until ``speak``."""
    ctx.meta.setdefault(_WAITING, []).append(text)


def speak(ctx: click.Context, form: LogFormat = LogFormat.PLAIN) -> None:
    """Give the warnings that wait. From now on, all is said in *form*."""
    ctx.meta[_IS_LOG] = form is LogFormat.JSON
    for text in ctx.meta.pop(_WAITING, []):
        if ctx.meta[_IS_LOG]:
            _LOG.warning("%s", text)
        else:
            click.echo(f"jobtypes: {text}", err=True)


def complain(ctx: click.Context, text: str) -> None:
    """Say why the command ends."""
    if ctx.meta.get(_IS_LOG):
        _LOG.error("%s", text)
    else:
        click.echo(escaped_lines(f"jobtypes: {text}"), err=True)
