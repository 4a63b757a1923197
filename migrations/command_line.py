"""The database of the `alembic` command on a developer's machine. Functions do not use this module."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, MigrationStep
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError

from migrations.tables import metadata

# The roles of the stack, which exist before the first revision: the owner of the tables, and the roles in its GRANTs.
OWNER = "app_owner"
ROLES = ("migrator", "querier")
_URL_FORM = "postgresql+psycopg2://user:password@host:port/database"


@contextmanager
def connect(config: Config) -> Iterator[sa.Connection]:
    """Connect to the database of DATABASE_URL; without DATABASE_URL, to an ephemeral database at head.

    `alembic upgrade` gets an empty ephemeral database instead, and so shows each revision. Raises CommandError, which
    `alembic` prints in one line.
    """
    url = os.environ.get("DATABASE_URL")
    if url:
        with _connect_to(_parse(url)) as connection:
            yield connection
            connection.commit()  # a revision may have left a transaction open, by its own commit
        return
    with _connect_to_ephemeral_database() as connection:
        if not _is_upgrade(config):
            _upgrade_to_head(connection, ScriptDirectory.from_config(config))
        yield connection


def _parse(text: str) -> sa.URL:
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError) as exc:  # the message does not show the text: it may hold a password
        raise CommandError(f"DATABASE_URL is not a valid URL: it must have the form {_URL_FORM}") from exc
    if url.drivername in {"postgres", "postgresql"}:
        return url.set(drivername="postgresql+psycopg2")
    if url.drivername != "postgresql+psycopg2":
        raise CommandError(f"DATABASE_URL must have the form {_URL_FORM} (got {url.drivername}://)")
    return url


def _connect_to(url: sa.URL) -> sa.Connection:
    try:
        return sa.create_engine(url, poolclass=sa.NullPool).connect()
    except sa.exc.OperationalError as exc:
        raise CommandError(f"cannot connect to DATABASE_URL {url.render_as_string()}: {_one_line(exc)}") from exc


@contextmanager
def _connect_to_ephemeral_database() -> Iterator[sa.Connection]:
    try:
        from localaws.errors import LocalAwsError  # noqa: PLC0415 - not in the zip of a function
        from localaws.postgres import ephemeral  # noqa: PLC0415
    except ModuleNotFoundError as exc:
        raise CommandError(f"DATABASE_URL must have the form {_URL_FORM} (got nothing)") from exc
    print("DATABASE_URL is not set: using an ephemeral PostgreSQL, which is deleted afterwards", file=sys.stderr)
    try:
        with ephemeral.database(owner=OWNER, roles=ROLES) as arguments:
            engine = sa.create_engine("postgresql+psycopg2://", connect_args=arguments, poolclass=sa.NullPool)
            with engine.connect() as connection:
                yield connection
    except LocalAwsError as exc:
        raise CommandError(f"cannot start an ephemeral PostgreSQL: {exc}") from exc


def _is_upgrade(config: Config) -> bool:
    function, *_ = getattr(config.cmd_opts, "cmd", (None,))
    return function is command.upgrade


def _upgrade_to_head(connection: sa.Connection, directory: ScriptDirectory) -> None:
    """Apply all revisions to an empty database. env.py is running already, so `command.upgrade` cannot be called."""
    logger = logging.getLogger("alembic.runtime.migration")
    level = logger.level
    logger.setLevel(logging.WARNING)
    scripts = directory.iterate_revisions("heads", (), implicit_base=True)  # from head to base
    try:
        for script in reversed(list(scripts)):
            _apply(script, directory, connection)
    finally:
        logger.setLevel(level)
    connection.commit()


def _apply(script: Script, directory: ScriptDirectory, connection: sa.Connection) -> None:
    step = MigrationStep.upgrade_from_script(directory.revision_map, script)
    # With the metadata, constraints get the names of its convention, as in an upgrade by env.py.
    options = {
        "fn": lambda _heads, _context: [step],
        "transaction_per_migration": True,
        "target_metadata": metadata,
    }
    try:
        migration = MigrationContext.configure(connection, opts=options)
        with migration.begin_transaction(), Operations.context(migration):
            migration.run_migrations()
    except sa.exc.DBAPIError as exc:
        raise CommandError(f"revision {script.revision} fails on an empty database: {_one_line(exc)}") from exc


def _one_line(exc: sa.exc.DBAPIError) -> str:
    return " ".join(str(exc.orig).split())
