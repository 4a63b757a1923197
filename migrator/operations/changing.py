"""The context of the changing commands: the session of the migrator, and the caller, who is recorded."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.database_errors import wrap_database_errors
from migrator.events import UpgradeRequest
from migrator.manifest import Manifest
from migrator.migration_log_schema import prepare
from migrator.rollback import APPLICATION_NAME
from migrator.session import open_session
from migrator.settings import UpgradeSettings
from rds_iam.connection import connect
from rds_iam.deadline import Deadline
from rds_iam.settings import DatabaseSettings

CONNECT_SECONDS = 15.0
# The rollback of a deployment ends the sessions of that deployment only, which have the stack in their name.
NAME = f"{APPLICATION_NAME} by an operator"
_RECORD = "INSERT INTO alembic_history.operations (command, arguments, caller, invocation) VALUES (%s, %s, %s, %s)"


@dataclass(frozen=True)
class Changing:
    """The database, the Alembic project in the folder `project`, and the caller's ARN.

    `deployment` has the properties of the deployment that the function belongs to.
    """

    settings: DatabaseSettings
    upgrade_settings: UpgradeSettings
    project: Path
    deadline: Deadline
    caller: str
    invocation: str
    deployment: Mapping[str, str]

    @property
    def manifest(self) -> Manifest:
        """The revisions of the deployed code."""
        return Manifest.read(self.project)

    @property
    def may_downgrade(self) -> bool:
        """The permission of the stack for downgrades."""
        return self.deployment.get("ALLOW_DOWNGRADE") == "true"

    def request(self, operation: str, started_at: float) -> UpgradeRequest:
        """Return the request of one operation, which may take several invocations."""
        return UpgradeRequest(
            self.deployment.get("MIGRATIONS_DIGEST", ""),
            tuple(self.manifest.files),
            stack_id=self.deployment.get("STACK_ID", ""),
            request_id=operation,
            started_at=started_at,
        )

    def connect(self) -> Connection:
        """Log in as the migrator, which works as the owner. Raises ConnectError."""
        return connect(
            self.settings,
            self.deadline.sooner(CONNECT_SECONDS),
            application_name=NAME,
            server_settings=self.upgrade_settings.server_settings(),
        )

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """Open a session in autocommit that works as the migrator, not as the owner. Raises MigratorError."""
        with wrap_database_errors("the database cannot be changed"), closing(open_session(self.connect)) as session:
            yield session

    def record(self, command: str, arguments: Mapping[str, Any]) -> None:
        """Record the command and its caller in the migration log, before it is performed. Raises MigratorError."""
        with wrap_database_errors("the operation cannot be recorded"), closing(self.connect()) as connection:
            prepare(connection)
            with connection, connection.cursor() as cursor:
                cursor.execute(_RECORD, (command, json.dumps(arguments), self.caller, self.invocation))
