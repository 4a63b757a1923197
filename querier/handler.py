"""Entry point of the querier: what EventBridge calls once a day."""

import datetime as dt
import os
from contextlib import closing

from aws_lambda_powertools import Logger, Tracer, single_metric
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from querier.queries import insert_query
from rds_iam.connection import connect
from rds_iam.deadline import Deadline
from rds_iam.settings import DatabaseSettings

logger = Logger()
tracer = Tracer(auto_patch=False)

_LOGIN_SECONDS = 30.0


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
def handler(_event: dict[str, object], _context: LambdaContext) -> dict[str, object]:
    """Write one row with the current UTC date; an error fails the invocation, so that Lambda retries it."""
    settings = DatabaseSettings.from_environment(os.environ)
    today = dt.datetime.now(dt.UTC).date()
    with closing(connect(settings, Deadline.after(_LOGIN_SECONDS), application_name="querier")) as connection:
        query = insert_query(connection, today)
    with single_metric(name="RowsWritten", unit=MetricUnit.Count, value=1):
        pass  # written on leaving the block
    logger.info("row written", extra={"query_id": query.id, "query_date": query.query_date.isoformat()})
    return {"id": query.id, "query_date": query.query_date.isoformat()}
