"""The settings of a database connection, from the function's environment, with libpq's names."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rds_iam.errors import SettingsError

_MAX_PORT = 65535


@dataclass(frozen=True)
class DatabaseSettings:
    """The settings of one login to one database. `ssl_root_cert` is a file with the trusted root certificates."""

    host: str
    port: int
    database: str
    user: str
    ssl_root_cert: Path
    region: str

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings. A relative PGSSLROOTCERT is a file of the function's zip.

        Raises SettingsError that names all missing and malformed settings.
        """
        host, port = environ.get("PGHOST", ""), environ.get("PGPORT", "")
        database, user = environ.get("PGDATABASE", ""), environ.get("PGUSER", "")
        region = environ.get("AWS_REGION", "")
        ssl_root_cert = Path(environ.get("LAMBDA_TASK_ROOT", ""), environ.get("PGSSLROOTCERT", ""))
        required = {"PGHOST": host, "PGDATABASE": database, "PGUSER": user, "AWS_REGION": region}
        problems = [f"{name} must be set (got nothing)" for name, value in required.items() if not value]
        if not (port.isascii() and port.isdigit() and 1 <= int(port) <= _MAX_PORT):
            problems.append(f"PGPORT must be a number between 1 and {_MAX_PORT} (got {port!r})")
        if not ssl_root_cert.is_file():
            problems.append(f"PGSSLROOTCERT must be an existing file (got {str(ssl_root_cert)!r})")
        if problems:
            raise SettingsError(f"bad environment: {'; '.join(problems)}")
        return cls(host, int(port), database, user, ssl_root_cert, region)
