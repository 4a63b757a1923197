"""Where Alembic gets its connection: from the migrator, from a test, or from DATABASE_URL on a developer's machine."""

import os
from contextlib import AbstractContextManager, nullcontext
from logging.config import fileConfig

import sqlalchemy as sa
from alembic import context
from alembic.util import CommandError

from migrations.tables import metadata

config = context.config
if config.config_file_name is not None:
    fileConfig(config.config_file_name, disable_existing_loggers=False)


def run_offline() -> None:
    """Write SQL instead of running it: `alembic upgrade head --sql`."""
    context.configure(
        dialect_name="postgresql",
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
    return sa.create_engine(_url(), poolclass=sa.NullPool).connect()


def _url() -> sa.URL:
    value = os.environ.get("DATABASE_URL")
    if not value:
        raise CommandError("no database: set DATABASE_URL, as in postgresql+psycopg2://user:password@localhost/app")
    try:
        return sa.make_url(value)
    except sa.exc.ArgumentError as exc:
        raise CommandError(
            "DATABASE_URL is no URL: allowed is postgresql+psycopg2://user:password@host/database"
        ) from exc


if context.is_offline_mode():
    run_offline()
else:
    run_online()
