"""Where Alembic gets its connection: from the migrator, from a test, or, for a developer, from `command_line`."""

from contextlib import AbstractContextManager, nullcontext
from logging.config import fileConfig

import sqlalchemy as sa
from alembic import context

from migrations import autogenerate
from migrations.tables import metadata

config = context.config
if config.config_file_name is not None:
    fileConfig(config.config_file_name, disable_existing_loggers=False)


def run_offline() -> None:
    """Write SQL instead of running it: `alembic upgrade head --sql`."""
    context.configure(
        dialect_name="postgresql",
        dialect_opts={"paramstyle": "named"},  # psycopg2's own would double every %
        target_metadata=metadata,
        literal_binds=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    """Run on the connection of the caller, or on one of our own."""
    with _connection() as connection:
        context.configure(
            connection=connection,
            target_metadata=metadata,
            compare_server_default=True,
            autogenerate_plugins=autogenerate.PLUGINS,
            render_item=autogenerate.render,
            process_revision_directives=autogenerate.complete,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()


def _connection() -> AbstractContextManager[sa.Connection]:
    given = config.attributes.get("connection")
    if isinstance(given, sa.Connection):
        return nullcontext(given)  # its owner closes it
    if isinstance(given, sa.Engine):
        return given.connect()
    from migrations import command_line  # noqa: PLC0415 - not where a function runs

    return command_line.connection(config)


if context.is_offline_mode():
    run_offline()
else:
    run_online()
