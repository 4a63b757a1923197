"""Choose where a server comes from: a container or programs on this machine."""

import functools
import os
import sys
from typing import get_args

from localaws.errors import LocalAwsError
from localaws.postgres.settings import Kind

VARIABLE = "LOCALAWS_POSTGRES"
DEFAULT_VERSION = 17  # what the stack deploys
KINDS: tuple[Kind, ...] = get_args(Kind.__value__)


def choose(kind: Kind | None, version: int) -> Kind:
    """Return `kind`, or what LOCALAWS_POSTGRES says, or a container where there can be one.

    A container that is asked for and cannot be had is an error, not a reason to take something else.
    """
    wanted = kind or from_environment()
    if wanted == "embedded":
        return wanted
    from localaws.postgres import container  # noqa: PLC0415 - docker takes a while to import

    obstacle = container.obstacle(version)
    if obstacle is None:
        return "container"
    if wanted == "container":
        raise LocalAwsError(f"PostgreSQL is to run in a container, but {obstacle}")
    _say_once(f"localaws: PostgreSQL runs from the programs on this machine, not in a container: {obstacle}")
    return "embedded"


def from_environment() -> Kind | None:
    """Return what LOCALAWS_POSTGRES says; raises LocalAwsError if that is no kind."""
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return None
    for kind in KINDS:
        if wanted == kind:
            return kind
    raise LocalAwsError(f"{VARIABLE} is {wanted!r}, it should be one of {', '.join(KINDS)}")


@functools.cache
def _say_once(text: str) -> None:
    print(text, file=sys.stderr)
