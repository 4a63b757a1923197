"""The developer's side of env.py: the database that `alembic` on a command line works on."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

# What the stack's role bootstrap makes before the first revision: the owner, and whom revisions grant something to.
OWNER = "app_owner"
ROLES = ("migrator", "querier")
_ALLOWED = "allowed is postgresql+psycopg2://user:password@host:port/database"


@contextmanager
def connection(config: Config) -> Iterator[sa.Connection]:
    """Connect to the database that DATABASE_URL names; without one, to a throwaway that is brought to head.

    Raises CommandError, which `alembic` prints as one line.
    """
    value = os.environ.get("DATABASE_URL")
    if value:
        with _connect(_parse(value)) as named:
            yield named
            named.commit()  # what a revision that commits by itself leaves open, as the migrator does
        return
    with _throwaway() as throwaway:
        if not _is_upgrade(config):  # an upgrade starts from nothing, and shows every revision
            _bring_to_head(throwaway, ScriptDirectory.from_config(config))
        yield throwaway


def _parse(value: str) -> sa.URL:
    try:
        url = sa.make_url(value)
    except (sa.exc.ArgumentError, ValueError) as exc:  # its message may hold the password, and so may the value
        raise CommandError(f"DATABASE_URL is no URL: {_ALLOWED}") from exc
    if url.drivername in {"postgres", "postgresql"}:
        return url.set(drivername="postgresql+psycopg2")
    if url.drivername != "postgresql+psycopg2":
        raise CommandError(f"DATABASE_URL begins with {url.drivername}://, {_ALLOWED}")
    return url


def _connect(url: sa.URL) -> sa.Connection:
    try:
        return sa.create_engine(url, poolclass=sa.NullPool).connect()
    except sa.exc.OperationalError as exc:
        words = " ".join(str(exc.orig).split())
        raise CommandError(f"DATABASE_URL is {url.render_as_string()}, which cannot be connected to: {words}") from exc


@contextmanager
def _throwaway() -> Iterator[sa.Connection]:
    try:
        from localaws.errors import LocalAwsError  # noqa: PLC0415 - on a developer's machine only
        from localaws.postgres import throwaway  # noqa: PLC0415
    except ModuleNotFoundError as exc:
        raise CommandError(f"no database: DATABASE_URL is not set, {_ALLOWED}") from exc
    print("no DATABASE_URL: working on a throwaway PostgreSQL, which is gone afterwards", file=sys.stderr)
    try:
        with throwaway.database(owner=OWNER, roles=ROLES) as arguments:
            engine = sa.create_engine("postgresql+psycopg2://", connect_args=arguments, poolclass=sa.NullPool)
            with engine.connect() as found:
                yield found
    except LocalAwsError as exc:
        raise CommandError(f"no throwaway PostgreSQL: {exc}") from exc


def _is_upgrade(config: Config) -> bool:
    chosen = getattr(config.cmd_opts, "cmd", (None,))
    return chosen[0] is command.upgrade


def _bring_to_head(connection: sa.Connection, script: ScriptDirectory) -> None:
    running: str | None = None
    log = logging.getLogger("alembic.runtime.migration")
    level = log.level
    log.setLevel(logging.WARNING)

    def steps(heads: tuple[str, ...], _: MigrationContext) -> Iterator[Any]:
        nonlocal running
        for step in script._upgrade_revs("heads", cast("str", heads)):  # noqa: SLF001 - what alembic.command.upgrade calls
            running = step.info.up_revision_id
            yield step

    try:
        migration = MigrationContext.configure(connection, opts={"fn": steps, "transaction_per_migration": True})
        with migration.begin_transaction(), Operations.context(migration):
            migration.run_migrations()
    except sa.exc.DBAPIError as exc:
        raise CommandError(f"revision {running} fails on an empty database: {' '.join(str(exc.orig).split())}") from exc
    finally:
        log.setLevel(level)
    connection.commit()
