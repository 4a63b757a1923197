"""The context of the reading commands: sessions that the server keeps read-only, and the project in the zip."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.database_errors import wrap_database_errors
from migrator.manifest import Manifest
from rds_iam.connection import connect
from rds_iam.deadline import Deadline
from rds_iam.settings import DatabaseSettings

# An operator waits for the answer. A server that is down does not come back in this time.
CONNECT_SECONDS = 15.0
LOCK_TIMEOUT_SECONDS = 2
# The reader has more rights than the migrator, which may create functions in the database. So the names in the fixed
# queries are resolved in pg_catalog only.
_FIXED_PATH = {"search_path": "pg_catalog,pg_temp"}


@dataclass(frozen=True)
class Reading:
    """The database, and the Alembic project in the folder `project`."""

    settings: DatabaseSettings
    project: Path
    deadline: Deadline

    @property
    def manifest(self) -> Manifest:
        """The revisions of the deployed code."""
        return Manifest.read(self.project)

    def connect(self, server_settings: Mapping[str, str] | None = None) -> Connection:
        """Log in as the reader. Names resolve as in the user's own sessions. Raises ConnectError."""
        milliseconds = max(1, int(self.deadline.seconds_left * 1000))
        return connect(
            self.settings,
            self.deadline.sooner(CONNECT_SECONDS),
            application_name="rds-alembic",
            server_settings={
                "default_transaction_read_only": "on",
                "statement_timeout": str(milliseconds),
                "lock_timeout": f"{LOCK_TIMEOUT_SECONDS}s",
                **(server_settings or {}),
            },
        )

    @contextmanager
    def observe(self) -> Iterator[Connection]:
        """Open a session in autocommit for fixed queries. Raises MigratorError with the server's message."""
        with wrap_database_errors("the database cannot be read"), closing(self.connect(_FIXED_PATH)) as session:
            session.autocommit = True
            yield session
