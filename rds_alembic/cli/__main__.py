"""Run the command without an installation: `python -m rds_alembic.cli`."""

from rds_alembic.cli.commands import main

main()
