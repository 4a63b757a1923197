"""Locked requirements: read the user's file, and combine it with the requirements of the migrator."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rds_alembic.errors import RdsAlembicError

# The versions that the migrator is tested with, at both ends: from the first, to before the second. SQLAlchemy supports
# Python 3.13 since 2.0.31.
SUPPORTED = {"alembic": ((1, 13, 0), (2,)), "sqlalchemy": ((2, 0, 31), (2, 2))}
# The migrator connects and logs with its own versions. `psycopg2` is the same module without a wheel.
OWN = frozenset({"aws-lambda-powertools", "psycopg2", "psycopg2-binary"})
# In the Lambda runtime.
IN_RUNTIME = frozenset({"boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"})

_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]*)(\[[^\]]*\])?==(?P<version>[^\s;]+)(?P<marker>\s*;.*?)?(?P<hashes>(\s+--hash=\S+)+)"
)


@dataclass(frozen=True)
class LockedRequirement:
    """One requirement: the version, and the line of the file with marker and hashes."""

    version: str
    line: str


def read_requirements(file: Path) -> dict[str, LockedRequirement]:
    """Return the requirements of a file by their normalized names.

    The file has the form that `uv export` and, with --generate-hashes, `uv pip compile` and `pip-compile` write. Raises
    RdsAlembicError for a requirement without version or hash.
    """
    if not file.is_file():
        raise RdsAlembicError(f"requirements must be a file of locked requirements (got {str(file)!r})")
    requirements = {}
    for line in file.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        text = re.sub(r"(^|\s+)#.*", "", line).strip()
        if not text or text.startswith(("--index-url", "--extra-index-url", "--find-links", "--only-binary", "-i ")):
            continue
        match = _REQUIREMENT.fullmatch(text)
        if match is None:
            raise RdsAlembicError(
                f"requirements must be name==version with --hash (got {text[:80]!r} in {file}): write the file with "
                "uv export or uv pip compile --generate-hashes"
            )
        requirements[_normalize(match["name"])] = LockedRequirement(match["version"], " ".join(text.split()))
    return requirements


def combine(own: Path, users: Path) -> str:
    """Return the text of a file with the user's requirements, and those of the migrator that the user does not have.

    Raises RdsAlembicError if the user's version of Alembic or SQLAlchemy is not supported.
    """
    users_requirements = read_requirements(users)
    _check_versions(users_requirements, users)
    chosen = {name: item for name, item in users_requirements.items() if name not in OWN | IN_RUNTIME}
    combined = read_requirements(own) | chosen
    return "".join(f"{item.line}\n" for _, item in sorted(combined.items()))


def _check_versions(requirements: Mapping[str, LockedRequirement], file: Path) -> None:
    for name, (first, end) in SUPPORTED.items():
        if name not in requirements:
            continue
        version = requirements[name].version
        numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
        if not first <= numbers < end:
            raise RdsAlembicError(
                f"{name} in requirements must be at least {_dotted(first)} and below {_dotted(end)} "
                f"(got {version} in {file}): change the version, or remove the line"
            )


def _normalize(name: str) -> str:
    """Return the name as PyPI compares it.

    https://packaging.python.org/en/latest/specifications/name-normalization/
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
