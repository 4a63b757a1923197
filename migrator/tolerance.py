"""Keep an AWS API that fails from turning a rollback into UPDATE_ROLLBACK_FAILED."""

from collections.abc import Iterator
from contextlib import contextmanager

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit
from botocore.exceptions import BotoCoreError, ClientError

from migrator.events import Event
from migrator.rollback import is_rolling_back


@contextmanager
def never_fail_a_rollback(event: Event, logger: Logger) -> Iterator[None]:
    """Raise the errors of AWS APIs, except in the Update that CloudFormation sends as a rollback: warn and count there.

    In a rollback, the function's permissions may already be those of the deployment before, or not yet.
    """
    try:
        yield
    except (BotoCoreError, ClientError) as exc:
        if not is_rolling_back(event):
            raise
        logger.warning("the rollback goes on without this change", extra={"error": str(exc)})
        with single_metric(name="RollbackIncomplete", unit=MetricUnit.Count, value=1):
            pass  # written on leaving the block
