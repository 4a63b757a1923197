"""How a failure reaches CloudFormation: one short line, without secrets."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from migrator.errors import MigratorError
from rds_iam.errors import RdsIamError

# The reason is to stay below 1 KB, and the Provider framework adds to it.
MAX_BYTES = 900

_SECRET_NAMES = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_TOKEN = re.compile(r"(X-Amz-(?:Security-Token|Signature|Credential)=)[^&\s]+")


@contextmanager
def report_failure(what: str, logger: Logger, *, metric: str) -> Iterator[None]:
    """Log any error once, with its trace, count it, and raise it again as a MigratorError of one short line."""
    try:
        yield
    except Exception as exc:
        logger.exception(what)
        with single_metric(name=metric, unit=MetricUnit.Count, value=1):
            pass  # written on leaving the block
        raise MigratorError(brief(exc)) from exc


def brief(exc: BaseException, environ: Mapping[str, str] = os.environ) -> str:
    """Return the error in one line of at most 900 bytes, with tokens and credentials blotted out."""
    text = str(exc) if isinstance(exc, MigratorError | RdsIamError) else f"{type(exc).__name__}: {exc}"
    text = _TOKEN.sub(r"\1***", " ".join(text.split()))
    for secret in filter(None, map(environ.get, _SECRET_NAMES)):
        text = text.replace(secret, "***")
    encoded = text.encode()
    if len(encoded) <= MAX_BYTES:
        return text
    return encoded[: MAX_BYTES - 3].decode(errors="ignore") + "..."
