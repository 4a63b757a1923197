"""Choose between a container and the programs on this machine."""

import functools
import os
import sys
from contextlib import suppress
from typing import get_args

from localaws.errors import LocalAwsError
from localaws.postgres.binaries import find_programs
from localaws.postgres.server import Kind

VARIABLE = "LOCALAWS_POSTGRES"
DEFAULT_VERSION = 17  # the version of the stack
KINDS: tuple[Kind, ...] = get_args(Kind.__value__)


def choose_kind(kind: Kind | None, version: int) -> Kind:
    """Return `kind`, or the kind that LOCALAWS_POSTGRES names, or a container if Docker can run one.

    Raises LocalAwsError if a container is required and Docker cannot run one.
    """
    required = kind or kind_from_environment()
    if required == "embedded":
        return required
    from localaws.postgres import container  # noqa: PLC0415 - the import of docker is slow

    obstacle = container.obstacle(version)
    if obstacle is None:
        return "container"
    if required == "container":
        raise LocalAwsError(f"PostgreSQL cannot run in a container: {obstacle}")
    _warn_once(f"localaws: PostgreSQL runs from the programs on this machine, not in a container: {obstacle}")
    return "embedded"


def preferred_kind(version: int) -> Kind:
    """Return the kind that LOCALAWS_POSTGRES names, or the programs on this machine, or a container.

    The programs start in half the time of a container. Raises LocalAwsError if neither is available.
    """
    kind = kind_from_environment()
    if kind is None:
        with suppress(LocalAwsError):
            find_programs(version)
            kind = "embedded"
    return choose_kind(kind, version)


def kind_from_environment() -> Kind | None:
    """Return the kind that LOCALAWS_POSTGRES names, or None. Raises LocalAwsError for another value."""
    value = os.environ.get(VARIABLE)
    if not value:
        return None
    for kind in KINDS:
        if value == kind:
            return kind
    raise LocalAwsError(f"{VARIABLE} must be one of {', '.join(KINDS)} (got {value!r})")


@functools.cache
def _warn_once(text: str) -> None:
    print(text, file=sys.stderr)
