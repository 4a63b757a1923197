"""The command `rds-alembic`. The module of a command is imported when the command is used."""

from rds_alembic.cli.commands import main as main
