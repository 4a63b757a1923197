"""Where the database is and who logs in, from a function's environment, under libpq's names."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rds_iam.errors import SettingsError

_REQUIRED = ("PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGSSLROOTCERT", "AWS_REGION")
_MAX_PORT = 65535


@dataclass(frozen=True)
class DatabaseSettings:
    """One login to one database; the server's certificate must lead to `ssl_root_cert`."""

    host: str
    port: int
    database: str
    user: str
    ssl_root_cert: Path
    region: str

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings; a relative PGSSLROOTCERT is a file of the function's zip.

        Raises SettingsError that names everything missing or malformed.
        """
        root_cert = Path(environ.get("LAMBDA_TASK_ROOT", ""), environ.get("PGSSLROOTCERT", ""))
        if problems := _problems(environ, root_cert):
            raise SettingsError(f"bad environment: {'; '.join(problems)}")
        return cls(
            host=environ["PGHOST"],
            port=int(environ["PGPORT"]),
            database=environ["PGDATABASE"],
            user=environ["PGUSER"],
            ssl_root_cert=root_cert,
            region=environ["AWS_REGION"],
        )


def _problems(environ: Mapping[str, str], root_cert: Path) -> list[str]:
    problems = [f"{name} is not set" for name in _REQUIRED if not environ.get(name)]
    port = environ.get("PGPORT")
    if port and not (port.isascii() and port.isdigit() and 1 <= int(port) <= _MAX_PORT):
        problems.append(f"PGPORT is {port!r}, allowed are 1 to {_MAX_PORT}")
    if environ.get("PGSSLROOTCERT") and not root_cert.is_file():
        problems.append(f"PGSSLROOTCERT is {str(root_cert)!r}, which is no file")
    return problems
