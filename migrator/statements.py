"""Limits on statements, kept by the server: a function that is killed leaves its statement running there."""

import sqlalchemy as sa

from migrator.environment import driver_connection
from rds_iam.deadline import Deadline

# Only ever lowers it, so that a shorter time which a revision has set for itself holds. 0 means no limit.
_LOWER = """
SELECT set_config('statement_timeout', '{0}ms', false)
WHERE current_setting('statement_timeout')::interval NOT BETWEEN '1us' AND '{0}ms'
"""


def end_by(deadline: Deadline, engine: sa.Engine) -> None:
    """Let the server cancel any statement on `engine` that would outlast the deadline."""

    @sa.event.listens_for(engine, "before_cursor_execute")
    def lower(connection: sa.Connection, *_statement: object) -> None:
        milliseconds = max(1, int(deadline.seconds_left * 1000))
        with driver_connection(connection).cursor() as cursor:  # the statement's own may be the server's, for one use
            cursor.execute(_LOWER.format(milliseconds))
