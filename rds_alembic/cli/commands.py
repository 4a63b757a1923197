"""The commands of `rds-alembic`, and the exit codes of their errors."""

from importlib import import_module
from typing import override

import click

from rds_alembic.errors import RdsAlembicError

# The module of each command has a click command of the same name, with "_" for "-".
_READING = "rds_alembic.cli.reading"
_CHANGING = "rds_alembic.cli.changing"
COMMANDS: dict[str, str] = {
    "status": _READING,
    "current": _READING,
    "heads": _READING,
    "history": _READING,
    "check": _READING,
    "watch": "rds_alembic.cli.watch",
    "activity": _READING,
    "tables": _READING,
    "grants": _READING,
    "query": _READING,
    "logs": _READING,
    "upgrade": _CHANGING,
    "downgrade": _CHANGING,
    "stamp": _CHANGING,
    "cancel": _CHANGING,
    "terminate": _CHANGING,
    "rerun": _CHANGING,
    "unstick": "rds_alembic.cli.unstick",
    "follow": "rds_alembic.cli.follow",
    "rehearse": "rds_alembic.cli.rehearse",
}


class _Commands(click.Group):
    """The group that imports the module of a command when the command is used."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(COMMANDS[cmd_name]), cmd_name.replace("-", "_"))
        return command

    @override
    def invoke(self, ctx: click.Context) -> object:
        """Run a command. An error of this project becomes one line and exit code 1."""
        try:
            return super().invoke(ctx)
        except RdsAlembicError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Alembic for a private RDS PostgreSQL that cdk deploy migrates."""
