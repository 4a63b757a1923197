"""The ephemeral database on which revisions run."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import alembic
import psycopg2
import sqlalchemy as sa
from psycopg2.extensions import connection as Session  # noqa: N812 - psycopg2 spells its class in lower case
from psycopg2.sql import SQL, Identifier

from localaws.postgres import DEFAULT_VERSION, Server, ephemeral
from localaws.postgres.choice import preferred_kind
from localaws.postgres.data_cache import DataCache

CACHE = DataCache(Path(__file__).parents[1] / ".build/cache/review")
# The roles of the stack, which exist before the first revision. The tables belong to OWNER.
OWNER = "app_owner"
ROLES = ("migrator", "querier")
LOCK_TIMEOUT = "10s"


@dataclass(frozen=True)
class Database:
    """An ephemeral database. `parameters` are those of psycopg2 for a session that works as the owner of the tables."""

    server: Server
    parameters: dict[str, Any]

    def connect(self) -> Session:
        """Open a session as the migrator does: as the owner of the tables, and with a lock timeout.

        The timeout ends a revision that waits for a lock of its own, on another connection.
        """
        options = f"{self.parameters['options']} -c lock_timeout={LOCK_TIMEOUT}"
        session: Session = psycopg2.connect(**{**self.parameters, "options": options})
        return session

    def connect_as_superuser(self) -> Session:
        """Open a session of the superuser in autocommit mode."""
        session: Session = self.server.access.connect(self.parameters["dbname"])
        return session

    @contextmanager
    def engine(self) -> Iterator[sa.Engine]:
        """Yield an engine whose sessions are reset when they return to the pool, as in the migrator."""
        engine = sa.create_engine("postgresql+psycopg2://", creator=self.connect, pool_reset_on_return=None)
        sa.event.listen(engine, "reset", lambda session, *_pool: session.reset())
        try:
            yield engine
        finally:
            engine.dispose()

    def forget_sizes(self) -> None:
        """Let the planner take empty tables for small tables, as it does until the first VACUUM or index build.

        Otherwise, it reads an empty table in full although a query names a key.
        """
        with closing(self.connect_as_superuser()) as session, session.cursor() as cursor:
            cursor.execute("UPDATE pg_class SET reltuples = -1 WHERE reltuples = 0 AND relkind IN ('r', 'm')")

    @contextmanager
    def copy(self, name: str) -> Iterator["Database"]:
        """Yield a copy of the database on the same server. No session may be open."""
        names = {"new": Identifier(name), "old": Identifier(self.parameters["dbname"]), "owner": Identifier(OWNER)}
        with self.server.access.session("postgres") as session, session.cursor() as cursor:
            cursor.execute(SQL("CREATE DATABASE {new} TEMPLATE {old}").format(**names))
            cursor.execute(SQL("GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {new} TO {owner}").format(**names))
            try:
                yield Database(self.server, {**self.parameters, "dbname": name})
            finally:
                cursor.execute(SQL("DROP DATABASE {new} WITH (FORCE)").format(**names))


@contextmanager
def open_database(data: Path | None, roles: Sequence[str]) -> Iterator[Database]:
    """Start a server with a data folder of the cache, or with an empty database. Raises LocalAwsError."""
    with ephemeral.server(owner=OWNER, roles=roles, data=data) as (server, parameters):
        yield Database(server, parameters)


def find_data(name: str) -> Path | None:
    """Return the data folder of the cache with a name. A container cannot use one."""
    return CACHE.find(name) if preferred_kind(DEFAULT_VERSION) == "embedded" else None


def cache_name(files: Sequence[Path], roles: Sequence[str]) -> str:
    """Return the digest of what the state after some revisions depends on."""
    summary = hashlib.sha256(repr((DEFAULT_VERSION, alembic.__version__, sa.__version__, tuple(roles))).encode())
    for path in files:
        summary.update(repr((path.name, path.read_bytes())).encode())
    return summary.hexdigest()[:32]
