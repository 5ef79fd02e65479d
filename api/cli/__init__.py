"""The command `jobtypes`. Knows HTTP through `serve` alone."""

try:
    from api.cli.main import main
except Exception:
    # That is how a Python ends that is too old, at one import or another.
    from api.cli.least import refuse_old_python

    refuse_old_python()
    raise

__all__ = ["main"]
