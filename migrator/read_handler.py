"""Entry point of the function that reads for operators: an allow-list of commands, which cannot change the database.

An event has the name `command`, and `arguments` by name. The answer is JSON. The permission to invoke the function is
the authorisation.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext

from migrator.events import Event
from migrator.operations import activity, drift, grants, progress, query, revisions, tables
from migrator.operations.arguments import Answer, Command, Number, Text, run_command
from migrator.operations.reading import Reading
from migrator.reporting import report_failure
from rds_iam.deadline import Deadline
from rds_iam.settings import DatabaseSettings

COMMANDS: Mapping[str, Command[Reading]] = {
    "current": Command(revisions.current),
    "heads": Command(revisions.heads),
    "history": Command(revisions.history, {"revision_range": Text(default="")}),
    "check": Command(drift.check),
    "status": Command(activity.status),
    "progress": Command(progress.progress),
    "activity": Command(activity.activity),
    "tables": Command(tables.tables, {"seconds": Number(1, 30, default=2)}),
    "grants": Command(grants.grants),
    "query": Command(
        query.query,
        {
            "sql": Text(longest=100_000),
            "max_rows": Number(1, query.MAX_ROWS, default=query.MAX_ROWS),
            "seconds": Number(1, query.MAX_SECONDS, default=30),
        },
    ),
}
# The time that is kept to send the answer or the error.
_RESERVE_SECONDS = 5.0

logger = Logger()
tracer = Tracer(auto_patch=False)


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: Event, context: LambdaContext) -> Answer:
    """Run a reading command. Raises MigratorError of one line."""
    with report_failure("command failed", logger, metric="ReadCommandFailed"):
        deadline = Deadline.after(context.get_remaining_time_in_millis() / 1000 - _RESERVE_SECONDS)
        project = Path(os.environ["LAMBDA_TASK_ROOT"], "project")
        reading = Reading(DatabaseSettings.from_environment(os.environ), project, deadline)
        logger.info("command", extra={"command": str(event.get("command"))[:100]})
        return run_command(COMMANDS, reading, event)
