"""Call AWS APIs for a custom resource. Retry in a deployment; never fail in a rollback."""

import time
from collections.abc import Callable

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from migrator.reporting import count
from rds_iam.deadline import Deadline

POLL_SECONDS = 2.0
# A policy takes effect after seconds, rarely minutes. RDS does not modify an instance during a backup, for example.
_TRANSIENT = frozenset({"AccessDenied", "AccessDeniedException", "InvalidDBInstanceState"})

logger = Logger(child=True)


def call_aws(call: Callable[[], object], deadline: Deadline, *, rolling_back: bool | None) -> None:
    """Repeat a call after a transient error, until the deadline.

    Raises botocore's errors, except in the Update that CloudFormation sends as a rollback. There an error would lead to
    UPDATE_ROLLBACK_FAILED, and the function's permissions may already be those of the previous deployment.
    """
    while True:
        try:
            call()
        except (BotoCoreError, ClientError) as exc:
            if rolling_back:
                logger.warning("the rollback continues without this change", extra={"error": str(exc)})
                count("RollbackIncomplete")
                return
            if not _is_transient(exc) or deadline.seconds_left < POLL_SECONDS:
                raise
            time.sleep(POLL_SECONDS)
        else:
            return


def _is_transient(exc: BotoCoreError | ClientError) -> bool:
    return isinstance(exc, ClientError) and exc.response["Error"]["Code"] in _TRANSIENT
