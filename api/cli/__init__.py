"""The command `jobtypes`. Knows HTTP through `serve` alone."""

from api.cli.main import main

__all__ = ["main"]
