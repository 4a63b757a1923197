"""Report a failure to CloudFormation in one short line without secrets, and count events in metrics."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from migrator.errors import MigratorError
from rds_iam.errors import RdsIamError

# The reason must stay below 1 KB, and the Provider framework adds to it.
MAX_BYTES = 900

_TOKEN = re.compile(r"(X-Amz-(?:Security-Token|Signature|Credential)=)[^&\s]+")


@contextmanager
def report_failure(message: str, logger: Logger, *, metric: str) -> Iterator[None]:
    """Log an error of the block with its traceback, count it, and raise it again as a MigratorError of one line."""
    try:
        yield
    except Exception as exc:
        logger.exception(message)
        count(metric)
        raise MigratorError(redacted(exc)) from exc


def count(metric: str) -> None:
    """Write a metric with the value 1."""
    with single_metric(name=metric, unit=MetricUnit.Count, value=1):
        pass  # written at the end of the block


def redacted(exc: BaseException, environ: Mapping[str, str] = os.environ) -> str:
    """Return an error as one line of at most 900 bytes, without tokens and credentials."""
    text = str(exc) if isinstance(exc, MigratorError | RdsIamError) else f"{type(exc).__name__}: {exc}"
    text = _TOKEN.sub(r"\1***", " ".join(text.split()))
    for secret in (environ.get("AWS_SECRET_ACCESS_KEY"), environ.get("AWS_SESSION_TOKEN")):
        if secret:
            text = text.replace(secret, "***")
    encoded = text.encode()
    if len(encoded) <= MAX_BYTES:
        return text
    return encoded[: MAX_BYTES - 3].decode(errors="ignore") + "..."
