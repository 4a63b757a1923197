"""Limit the time of statements on the server, where the statement of a killed function would continue to run."""

import math
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from psycopg2.extensions import TRANSACTION_STATUS_INERROR
from psycopg2.extensions import connection as DbapiConnection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.engine import driver_connection
from rds_iam.deadline import Deadline

# Only ever lowers the limit, so that a shorter one of a revision or of the role holds. 0 means no limit.
_LOWER = """
SELECT set_config('statement_timeout', '{0}ms', false)
WHERE current_setting('statement_timeout')::interval NOT BETWEEN '1us' AND '{0}ms'
"""
# The limit is lowered again when the time left is this part of it: about 60 round trips in 14 minutes.
_SHRUNK = 0.9


@dataclass(frozen=True)
class StatementLimit:
    """The limit of each session in seconds. A session is removed when a rollback may have restored a longer limit."""

    deadline: Deadline
    limits: dict[DbapiConnection, float]

    def set_on(self, session: DbapiConnection) -> None:
        """Set the limit on a session that is not in a transaction."""
        autocommit = session.autocommit
        session.autocommit = True
        self._lower(session)
        session.autocommit = autocommit

    def before_statement(self, session: DbapiConnection, statement: str) -> None:
        """Lower the limit if the time left has shrunk noticeably and the transaction permits it.

        `SET TRANSACTION` must come before the first query of a transaction, so no query is sent before a SET.
        """
        has_shrunk = self.deadline.seconds_left < self.limits.get(session, math.inf) * _SHRUNK
        if has_shrunk and session.info.transaction_status != TRANSACTION_STATUS_INERROR and not is_set(statement):
            self._lower(session)

    def _lower(self, session: DbapiConnection) -> None:
        seconds = self.deadline.seconds_left
        with session.cursor() as cursor:  # the cursor of the statement may be a named one, which runs one statement
            cursor.execute(_LOWER.format(max(1, int(seconds * 1000))))
        self.limits[session] = seconds


def is_set(statement: str) -> bool:
    """Return whether the statement is a SET."""
    return statement.lstrip()[:4].rstrip().upper() == "SET"


def limit_statements(engine: sa.Engine, deadline: Deadline) -> None:
    """Limit every statement on `engine` to the time left, without a round trip for each."""
    limit = StatementLimit(deadline, {})

    @sa.event.listens_for(engine, "checkout")
    def checkout(session: DbapiConnection, *_pool: object) -> None:
        limit.set_on(session)

    @sa.event.listens_for(engine, "close")
    def close(session: DbapiConnection, *_pool: object) -> None:
        limit.limits.pop(session, None)

    @sa.event.listens_for(engine, "before_cursor_execute")
    def before(connection: sa.Connection, _cursor: object, statement: str, *_rest: object) -> None:
        limit.before_statement(driver_connection(connection), statement)

    @sa.event.listens_for(engine, "after_cursor_execute")
    def after(_connection: object, cursor: Any, *_rest: object) -> None:
        if cursor.statusmessage == "ROLLBACK":
            limit.limits.clear()

    @sa.event.listens_for(engine, "rollback")
    @sa.event.listens_for(engine, "rollback_savepoint")
    def rollback(*_rest: object) -> None:
        limit.limits.clear()
