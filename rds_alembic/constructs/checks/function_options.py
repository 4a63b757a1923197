"""The rules of the options of a function."""

import re
from collections.abc import Mapping
from typing import Any

from aws_cdk import Token
from aws_cdk import aws_lambda as lambda_

from rds_alembic.errors import RdsAlembicError

MEMORY_MIB = (128, 10_240)  # https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
LOG_LEVELS = ("TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")  # of Powertools
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
_NAMESPACE = re.compile(r"(?!AWS/)[^:\W][\w.\-/#:]{0,254}", re.ASCII)
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
_VARIABLE = re.compile(r"[A-Za-z]\w+", re.ASCII)
# Set by Lambda or by this package. libpq reads the variables of PG.
_RESERVED_VARIABLES = re.compile(r"AWS_.*|LAMBDA_.*|LOCK_TIMEOUT_SECONDS|MASTER_SECRET_ARN|PG.*|POWERTOOLS_.*|_.*")


def check_architecture(value: object) -> None:
    """Check the processor of a function."""
    if not isinstance(value, lambda_.Architecture):
        raise RdsAlembicError(f"architecture must be an Architecture of aws_cdk.aws_lambda (got {value!r})")


def check_encryption_key(value: object) -> None:
    """Check the key of a function, which is optional."""
    if value is not None and not hasattr(value, "key_arn"):
        raise RdsAlembicError(f"encryption_key must be a key of aws_cdk.aws_kms (got {value!r})")


def check_log_level(value: object) -> None:
    """Check the level of the logger."""
    if value not in LOG_LEVELS:
        raise RdsAlembicError(f"log_level must be one of {', '.join(LOG_LEVELS)} (got {value!r})")


def check_memory_size(value: object) -> None:
    """Check the memory of a function. A token of CDK is not checked."""
    smallest, largest = MEMORY_MIB
    if not isinstance(value, int) or not (Token.is_unresolved(value) or smallest <= value <= largest):
        raise RdsAlembicError(f"memory_size must be a number of MiB from {smallest} to {largest} (got {value!r})")


def check_metrics_namespace(value: Any) -> None:
    """Check the namespace of the metrics."""
    if not isinstance(value, str) or not (Token.is_unresolved(value) or _NAMESPACE.fullmatch(value)):
        raise RdsAlembicError(
            "metrics_namespace must be a text of 1 to 255 letters, digits and . - _ / # :, and not start with AWS/ "
            f"(got {value!r})"
        )


def check_environment(environment: object) -> dict[str, str]:
    """Return the environment variables of the user."""
    if not isinstance(environment, Mapping):
        raise RdsAlembicError(f"environment must be a mapping of names to texts (got {environment!r})")
    for name, value in environment.items():
        _check_variable(name, value)
    return dict(environment)


def _check_variable(name: object, value: object) -> None:
    if not isinstance(name, str) or not isinstance(value, str):
        raise RdsAlembicError(f"environment must be a mapping of names to texts (got {name!r}: {value!r})")
    if _RESERVED_VARIABLES.fullmatch(name):
        raise RdsAlembicError(
            f"environment must not have names that Lambda or this package sets (got {name!r}): "
            "AWS_*, LAMBDA_*, PG*, POWERTOOLS_*, LOCK_TIMEOUT_SECONDS, MASTER_SECRET_ARN"
        )
    if not _VARIABLE.fullmatch(name):
        raise RdsAlembicError(f"environment must have names of letters, digits and _ (got {name!r})")
