"""The environment of Alembic: it connects to the database and runs the revisions.

The migrator and the tests pass their connection in `config.attributes["connection"]`. On the command line,
`command_line.py` connects.
"""

from logging.config import fileConfig

import sqlalchemy as sa
from alembic import context

from migrations.tables import metadata as target_metadata
from rds_alembic import autogenerate

config = context.config

if config.config_file_name is not None:
    fileConfig(config.config_file_name, disable_existing_loggers=False)


def run_migrations_offline() -> None:
    """Write the SQL instead of executing it: `alembic upgrade head --sql`."""
    context.configure(
        dialect_name="postgresql",
        dialect_opts={"paramstyle": "named"},  # the paramstyle of psycopg2 would double each %
        target_metadata=target_metadata,
        literal_binds=True,
        transaction_per_migration=True,
    )

    with context.begin_transaction():
        context.run_migrations()


def run_migrations_online() -> None:
    """Run the revisions on the caller's connection, or on the connection of the command line."""
    connectable = config.attributes.get("connection")

    if isinstance(connectable, sa.Connection):
        run_migrations(connectable)
    elif isinstance(connectable, sa.Engine):
        with connectable.connect() as connection:
            run_migrations(connection)
    else:
        from migrations import command_line  # noqa: PLC0415 - functions always pass their connection

        with command_line.connect(config) as connection:
            run_migrations(connection)


def run_migrations(connection: sa.Connection) -> None:
    """Run the revisions on a connection. The caller closes the connection."""
    context.configure(
        connection=connection,
        target_metadata=target_metadata,
        transaction_per_migration=True,
        **autogenerate.OPTIONS,
    )

    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    run_migrations_offline()
else:
    run_migrations_online()
