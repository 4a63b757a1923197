"""What each handler finds in its environment; the other end is `rds_iam.settings` and each handler's own settings."""

from dataclasses import asdict, dataclass

ROOT_CERTIFICATES = "rds-ca.pem"
METRICS_NAMESPACE = "PrivateDatabase"


@dataclass(frozen=True, kw_only=True)
class FunctionEnvironment:
    """Powertools' settings: all that a handler needs which only checks and names things."""

    powertools_service_name: str
    powertools_metrics_namespace: str = METRICS_NAMESPACE
    powertools_log_level: str = "INFO"

    def variables(self) -> dict[str, str]:
        """Render as environment variables."""
        return {name.upper(): value for name, value in asdict(self).items()}


@dataclass(frozen=True, kw_only=True)
class PostgresEnvironment(FunctionEnvironment):
    """What a handler needs to log in with a token, by libpq's names. The certificates lie in its zip."""

    pghost: str
    pgport: str
    pgdatabase: str
    pguser: str
    pgsslrootcert: str = ROOT_CERTIFICATES


@dataclass(frozen=True, kw_only=True)
class UpgradeEnvironment(PostgresEnvironment):
    """The one handler that changes tables: how long it may wait for one, and everybody else behind it."""

    lock_timeout_seconds: str


@dataclass(frozen=True, kw_only=True)
class RolesEnvironment(PostgresEnvironment):
    """The one handler that logs in as the master, with the password in this secret."""

    master_secret_arn: str
