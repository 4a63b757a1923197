"""Entry point of the querier: the function that EventBridge Scheduler invokes once a day."""

import os
from contextlib import closing

from aws_lambda_powertools import Logger, Tracer, single_metric
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from querier import limits
from querier.event import day_to_write
from querier.queries import write_query
from rds_iam.connection import connect
from rds_iam.deadline import Deadline
from rds_iam.settings import DatabaseSettings

logger = Logger()
tracer = Tracer(auto_patch=False)


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: object, _context: LambdaContext) -> dict[str, object]:
    """Write the row of the day that the event names, once. An error fails the invocation, and Lambda retries it."""
    day = day_to_write(event)
    settings = DatabaseSettings.from_environment(os.environ)
    deadline = Deadline.after(limits.LOGIN_SECONDS)
    session = limits.server_settings()
    with closing(connect(settings, deadline, application_name="querier", server_settings=session)) as connection:
        query = write_query(connection, day)
    with single_metric(name="RowsWritten", unit=MetricUnit.Count, value=int(query.written)):
        pass  # written at the end of the block
    answer: dict[str, object] = {"id": query.id, "query_date": query.query_date.isoformat(), "written": query.written}
    logger.info("row written" if query.written else "row exists already", extra={"query": answer})
    return answer
