"""Call AWS APIs for a custom resource: with patience in a deployment, without failing in a rollback."""

import time
from collections.abc import Callable

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit
from botocore.exceptions import BotoCoreError, ClientError

from migrator.events import Event
from migrator.stack_status import is_rolling_back
from rds_iam.deadline import Deadline

POLL_SECONDS = 2.0
# A policy takes effect after seconds, rarely minutes. RDS does not modify an instance during a backup, for example.
_TRANSIENT = frozenset({"AccessDenied", "AccessDeniedException", "InvalidDBInstanceState"})

logger = Logger(child=True)


def call_aws(call: Callable[[], object], event: Event, deadline: Deadline) -> None:
    """Repeat a call while its error may pass by itself, until the deadline.

    Raises botocore's errors, except in the Update that CloudFormation sends as a rollback: an error there would end in
    UPDATE_ROLLBACK_FAILED, and the function's permissions may already be those of the deployment before.
    """
    rolling_back = is_rolling_back(event)
    while True:
        try:
            call()
        except (BotoCoreError, ClientError) as exc:
            if rolling_back:
                _report_incomplete(exc)
                return
            if not _is_transient(exc) or deadline.seconds_left < POLL_SECONDS:
                raise
            time.sleep(POLL_SECONDS)
        else:
            return


def _is_transient(exc: BotoCoreError | ClientError) -> bool:
    return isinstance(exc, ClientError) and exc.response["Error"]["Code"] in _TRANSIENT


def _report_incomplete(exc: BotoCoreError | ClientError) -> None:
    logger.warning("the rollback goes on without this change", extra={"error": str(exc)})
    with single_metric(name="RollbackIncomplete", unit=MetricUnit.Count, value=1):
        pass  # written on leaving the block
