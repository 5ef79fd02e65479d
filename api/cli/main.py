"""The command line ``jobtypes``."""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from typing import Any

import click
from click.shell_completion import add_completion_class

from api.cli.bash import Bash
from api.cli.certificates import require_certificates
from api.cli.helping import Formatter
from api.cli.later import Later, LaterGroup, loaded
from api.cli.notices import complain, speak, warn_later
from api.cli.options import CONFIG_HELP, EXIT_OURS, EXIT_USER
from api.cli.streams import open_streams
from api.cli.variables import environment, unknown_variables
from api.client.errors import ServiceFailed
from api.config import ConfigError, LogFormat, read_config_file
from api.telemetry import logs
from gitstore.errors import (
    BadRequest,
    Damaged,
    FarmFailed,
    Invalid,
    ProgramMissing,
    StorageFailed,
    StoreError,
)
from gitstore.format.layout import escaped

_COMMANDS = {
    "changes": ("reviewing:changes", "Review pushed branches without a forge, and merge them."),
    "check": ("checking:check", "Check the jobtypes in a folder, clone or repository."),
    "compare": ("farm:compare", "Compare a PyFarm master with a repository."),
    "completion": ("completing:completion", "Print the script that completes in a shell."),
    "diff": ("reading:diff", "Show what differs between two versions of a jobtype."),
    "hooks": ("access:hooks", "Install Git's hooks where pushes bypass the service."),
    "import": ("farm:import_", "Bring the jobtypes of a PyFarm master into a repository."),
    "index": ("storing:index", "Show or rebuild the history's cache on disk."),
    "init": ("storing:init", "Make a bare repository, ready to be served and cloned."),
    "list": ("reading:list_", "List the jobtypes: id, name, newest version, class."),
    "log": ("reading:log", "List the versions of a jobtype, newest first."),
    "mirror": ("farm:mirror", "Bring the tables of a PyFarm master in step with the branch."),
    "new": ("beginning:new", "Begin a jobtype in a clone, or in a folder."),
    "restore": ("versions:restore", "Put a withdrawn version back into service."),
    "rollback": ("versions:rollback", "Make a new version with the files of an older one."),
    "run": ("running:run", "Show what the farm would run of a jobtype. Runs its code."),
    "schema": ("schemas:schema", "Print JSON Schema of YAML files, for editors."),
    "serve": ("serving:serve", "Serve the jobtypes of a repository over HTTP."),
    "show": ("reading:show", "Show meta.yaml and code.py of one version of a jobtype."),
    "summary": ("reviewing:summary", "Say which versions merging a revision would make."),
    "test": ("testing:test", "Test jobtypes with the tests in their repository. Runs code."),
    "token": ("access:token", "Make, list, rotate and revoke the tokens needed to write."),
    "whose": ("whose:whose", "Tell who wrote the lines that a traceback names."),
    "withdraw": ("versions:withdraw", "Take a version out of service."),
}
"""Where each command is, below api.cli, and its line in the list of commands."""


_NAMED = (errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR)
"""Errors of the system about a path that can't be one, which only a user can have named."""

_OURS = (StorageFailed, Damaged, FarmFailed, ProgramMissing, ServiceFailed)
"""Errors of a machine, and not of the user's."""


add_completion_class(Bash)
click.Context.formatter_class = Formatter


class _Group(LaterGroup):
    """Turns exceptions of the packages into a sentence and an exit status."""

    def main(self, *args: Any, **extra: Any) -> Any:  # click's own parameters, passed on
        open_streams()
        try:
            return super().main(*args, **extra)
        # Help and completion come before a command is invoked.
        except (OSError, BadRequest) as error:
            click.echo(f"jobtypes: {error}", err=True)
            sys.exit(EXIT_USER if isinstance(error, BadRequest) else EXIT_OURS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        require_certificates(environment())
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except Invalid as error:
            for problem in error.problems:
                complain(ctx, escaped(str(problem)))
            ctx.exit(EXIT_USER)
        except (StoreError, ConfigError) as error:
            complain(ctx, str(error))
            ctx.exit(EXIT_OURS if isinstance(error, _OURS) else EXIT_USER)
        except BrokenPipeError:
            raise  # The reader closed the pipe; click ends quietly.
        except OSError as error:
            complain(ctx, str(error))
            ctx.exit(EXIT_USER if error.errno in _NAMED else EXIT_OURS)


@click.group(
    cls=_Group,
    commands=[Later(name, f"api.cli.{at}", help) for name, (at, help) in _COMMANDS.items()],
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="JOBTYPES_CONFIG",
    show_envvar=True,
    help=CONFIG_HELP,
)
@click.version_option(package_name="jobtype-repository")
@click.pass_context
def main(ctx: click.Context, config: Path | None) -> None:
    """Serve and look after a Git repository of jobtypes.

    Exit status: 0 good, 1 something is wrong with the input, 2 a wrong option,
    3 the machine failed.
    """
    logs.set_up(LogFormat.PLAIN)
    for warning in unknown_variables(environment()):
        warn_later(ctx, warning)
    if ctx.invoked_subcommand != "serve":  # That one has a log.
        speak(ctx)
    if config is not None:
        settings = read_config_file(config)
        name = str(ctx.invoked_subcommand)
        ctx.default_map = {name: _for_each_command(loaded(main.commands[name]), settings)}


def _for_each_command(command: click.Command, settings: dict[str, object]) -> dict[str, object]:
    """*settings* as the defaults of *command*, or of each command of a group."""
    if not isinstance(command, click.Group):
        return settings
    return {name: _for_each_command(below, settings) for name, below in command.commands.items()}
