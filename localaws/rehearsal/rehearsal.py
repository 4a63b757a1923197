"""Run the functions of a deployment against an ephemeral DB instance, as CloudFormation and CDK's framework do."""

import secrets
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Self

from localaws import rds
from localaws.certificates import CertificateAuthority
from localaws.constants import ACCOUNT, REGION
from localaws.errors import AuthenticationError
from localaws.lambda_runtime.packages import runtime_packages
from localaws.postgres import DEFAULT_VERSION, preferred_kind
from localaws.rds import Credential, RdsSettings, verify_token
from localaws.rehearsal.aws_api import SECRET_ARN, AwsApi
from localaws.rehearsal.function import Function, Report

MASTER = "postgres"
STACK_ID = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/Rehearsal/{uuid.UUID(int=0)}"
ROLES_HANDLER = "migrator.roles_handler.handler"
UPGRADE_HANDLER = "migrator.upgrade_handler.is_complete"
ROLES_TIMEOUT_SECONDS = 300

type Properties = Mapping[str, object]
"""The properties of a custom resource."""


@dataclass(frozen=True, kw_only=True)
class RehearsalSettings:
    """The settings of a deployment.

    - `owner`, `migrator`, `users`, `reader`, `extensions`: the props of `DatabaseRoles`
    - `database`: the name of the database
    - `version`: the major version of PostgreSQL
    - `variables`: further environment variables of the migrator
    - `timeout_seconds`, `memory_mb`: the limits of one invocation of the migrator; the memory is not enforced
    """

    owner: str = "app_owner"
    migrator: str = "migrator"
    users: Sequence[str] = ()
    reader: str = ""
    extensions: Sequence[str] = ()
    database: str = "app"
    version: int = DEFAULT_VERSION
    variables: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: float = 840
    memory_mb: int = 512


@dataclass(frozen=True)
class UpgradeResult:
    """The answer of the migrator when an upgrade is complete."""

    revision: str
    applied: int
    invocations: int


@dataclass(frozen=True)
class _Login:
    """The credentials of one function, and the only user that they may log in as."""

    user: str
    access_key: str = field(default_factory=lambda: f"ASIA{secrets.token_hex(8).upper()}")
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(30))
    session_token: str = field(default_factory=lambda: secrets.token_urlsafe(60))

    def verify(self, *, user: str, token: str, host: str, port: int) -> str:
        """Return the access key that signed the token. Raises AuthenticationError."""
        credentials = {self.access_key: Credential(self.secret, self.session_token, principal=self.access_key)}
        signer = verify_token(token, user=user, host=host, port=port, region=REGION, credential=credentials.get)
        if user != self.user:
            raise AuthenticationError(f"no policy allows rds-db:connect as {user!r}")
        return signer.principal

    def variables(self) -> dict[str, str]:
        """Return the environment variables of the function."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_SESSION_TOKEN": self.session_token,
            "PGUSER": self.user,
        }


class Rehearsal:
    """An ephemeral DB instance and the functions of a deployment. The end of the context stops and deletes them."""

    def __init__(self, settings: RehearsalSettings, *, certificates: CertificateAuthority) -> None:
        self._settings, self._runtime = settings, runtime_packages()
        self._master, self._migrator = _Login(MASTER), _Login(settings.migrator)
        password = secrets.token_urlsafe(20)
        with ExitStack() as undo:
            self.instance = undo.enter_context(
                rds.start(
                    RdsSettings(MASTER, password, settings.database, REGION),
                    token_verifier=self._migrator,
                    certificates=certificates,
                    kind=preferred_kind(settings.version),
                    version=settings.version,
                )
            )
            self._api = undo.enter_context(
                AwsApi(access_key=self._master.access_key, username=MASTER, password=password)
            )
            # The supervisor of the server removes the folder, even if this process is killed.
            self._folder = self.instance.folder / "functions"
            self._folder.mkdir(mode=0o700)
            self._undo = undo.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def set_up_roles(self, code_zip: bytes, report: Report) -> None:
        """Create the roles as the master user. Raises RehearsalError."""
        settings = self._settings
        properties = {
            "Owner": settings.owner,
            "Migrator": settings.migrator,
            "Users": list(settings.users),
            "Reader": settings.reader,
            "Extensions": list(settings.extensions),
        }
        variables = {**self._master.variables(), "MASTER_SECRET_ARN": SECRET_ARN}
        config = self._config("roles", ROLES_HANDLER, variables, timeout=ROLES_TIMEOUT_SECONDS)
        with self._function(config, code_zip) as function:
            function.invoke_and_report(_event("Create", properties), report)

    def upgrade(
        self, code_zip: bytes, properties: Properties, report: Report, *, previous: Properties | None = None
    ) -> UpgradeResult:
        """Invoke the migrator until the upgrade is complete. Raises RehearsalError.

        `properties`: those of Custom::AlembicUpgrade; `previous`: those of the deployment before.
        """
        event = _event("Update" if previous else "Create", properties)
        if previous:
            event |= {"OldResourceProperties": previous, "RollingBack": False}
        config = self._config(
            "migrator", UPGRADE_HANDLER, self._migrator.variables(), timeout=self._settings.timeout_seconds
        )
        with self._function(config, code_zip) as function:
            while True:
                answer = function.invoke_and_report(event, report)
                if answer["IsComplete"]:
                    data = answer["Data"]
                    return UpgradeResult(data["Revision"], int(data["RevisionsApplied"]), int(data["Invocations"]))

    def _config(self, name: str, handler: str, variables: Mapping[str, str], *, timeout: float) -> dict[str, Any]:
        """Return the configuration of a function in the form of Lambda's API."""
        instance = self.instance
        return {
            "FunctionName": name,
            "FunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}",
            "Runtime": "python3.13",
            "Handler": handler,
            "Timeout": timeout,
            "MemorySize": self._settings.memory_mb,
            "Environment": {
                "Variables": {
                    **self._settings.variables,
                    "POWERTOOLS_SERVICE_NAME": name,
                    "POWERTOOLS_METRICS_NAMESPACE": "Rehearsal",
                    "POWERTOOLS_LOG_LEVEL": "INFO",
                    "PGHOST": instance.host,
                    "PGPORT": str(instance.port),
                    "PGDATABASE": self._settings.database,
                    "PGSSLROOTCERT": str(instance.ca_path),
                    **variables,
                }
            },
        }

    def _function(self, config: Mapping[str, Any], code_zip: bytes) -> Function:
        apis = {"AWS_ENDPOINT_URL": self._api.endpoint}
        return Function(config, code_zip, runtime=self._runtime, variables=apis, parent=self._folder)


def _event(request_type: str, properties: Properties) -> dict[str, object]:
    return {
        "RequestType": request_type,
        "RequestId": str(uuid.uuid4()),
        "StackId": STACK_ID,
        "StartedAt": f"{time.time():.3f}",
        "ResourceProperties": properties,
    }
