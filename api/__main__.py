"""``python -m api``: the same as the command ``jobtypes``."""

from api.cli.main import main

main(prog_name="jobtypes")
