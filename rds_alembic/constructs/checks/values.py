"""The rules of plain values: paths, numbers, names."""

import math
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from aws_cdk import Token

from rds_alembic.errors import RdsAlembicError

# The server's setting is in whole milliseconds, and 0 would wait forever.
LOCK_TIMEOUT_SECONDS = (0.001, 300)
_MAX_NAME_BYTES = 63  # PostgreSQL truncates longer names
_RESERVED_DATABASES = ("rdsadmin", "template0", "template1")
_RESERVED_ROLES = ("none", "public")


def check_path(name: str, value: object) -> Path:
    """Return the path in a prop."""
    if not isinstance(value, str | PathLike) or not str(value):
        raise RdsAlembicError(f"{name} must be a path (got {value!r})")
    return Path(value)


def check_certificates(value: object) -> Path:
    """Return the path of a PEM file."""
    path = check_path("rds_ca", value)
    if not path.is_file() or "-----BEGIN CERTIFICATE-----" not in path.read_text(errors="replace"):
        raise RdsAlembicError(f"rds_ca must be a file with PEM certificates (got {str(path)!r})")
    return path


def check_paths(name: str, value: object) -> tuple[Path, ...]:
    """Return the paths in a prop. A single text is rejected, because each of its characters would be a path."""
    if isinstance(value, str | PathLike) or not isinstance(value, Sequence):
        raise RdsAlembicError(f"{name} must be a list of paths (got {value!r}): write {name}=[{str(value)!r}]")
    return tuple(check_path(f"{name}[{index}]", item) for index, item in enumerate(value))


def check_lock_timeout(value: object) -> str:
    """Return the number of seconds as a text."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    shortest, longest = LOCK_TIMEOUT_SECONDS
    if not is_number or not shortest <= value <= longest:  # type: ignore[operator] # a number
        raise RdsAlembicError(
            f"lock_timeout_seconds must be a number of seconds above 0, from {shortest} to {longest} (got {value!r})"
        )
    return f"{value:g}"


def check_database_name(value: object) -> None:
    """Check the name of a database. A token of CDK is not checked."""
    check_name("database_name", value)
    if value in _RESERVED_DATABASES:
        raise RdsAlembicError(f"database_name must not be one of {', '.join(_RESERVED_DATABASES)} (got {value!r})")


def check_role(name: str, value: object) -> None:
    """Check the name of a role that the role setup creates."""
    check_name(name, value)
    if str(value) in _RESERVED_ROLES or str(value).startswith(("pg_", "rds")):
        reserved = ", ".join(_RESERVED_ROLES)
        raise RdsAlembicError(f"{name} must not be {reserved}, or start with pg_ or rds (got {value!r})")


def check_texts(name: str, value: object) -> None:
    """Check a list of texts. A single text is rejected, because each of its characters would be an item."""
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(item, str) for item in value):
        raise RdsAlembicError(f"{name} must be a list of texts (got {value!r}): write {name}=[{value!r}]")


def check_names(name: str, value: object) -> list[str]:
    """Return the names of the roles in a prop."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise RdsAlembicError(f"{name} must be a list of names (got {value!r}): write {name}=[{value!r}]")
    for index, item in enumerate(value):
        check_role(f"{name}[{index}]", item)
    return [str(item) for item in value]


def check_name(name: str, value: object) -> None:
    """Check a name of PostgreSQL. A token of CDK is not checked."""
    if isinstance(value, str) and Token.is_unresolved(value):
        return
    is_text = isinstance(value, str) and value.isprintable() and value.strip() == value != ""
    if not is_text or len(str(value).encode()) > _MAX_NAME_BYTES:
        raise RdsAlembicError(
            f"{name} must be a text of 1 to {_MAX_NAME_BYTES} bytes, printable and without spaces at its ends "
            f"(got {value!r})"
        )


def check_different(roles: Sequence[tuple[str, str]]) -> None:
    """Check that no role has two purposes. `roles` has pairs of a prop and the role that it names."""
    purposes: dict[str, str] = {}
    for prop, role in roles:
        if role in purposes:
            raise RdsAlembicError(f"{prop} must be another role than {purposes[role]} (got {role!r} for both)")
        purposes[role] = prop
