"""A function that logs in to a PostgreSQL database of RDS with IAM tokens, as one user."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeIs

from aws_cdk import aws_rds as rds
from constructs import Construct

from infra.settings import FunctionSettings
from rds_alembic.constructs.function_environment import ROOT_CERTIFICATES, PostgresEnvironment
from rds_alembic.constructs.python_function import Place, Program, PythonFunction

type PostgresDatabase = rds.IDatabaseInstance | rds.IDatabaseCluster


@dataclass(frozen=True, kw_only=True)
class Login:
    """Who logs in where: a user, a database on a server, and the roots that the server's certificate must lead to."""

    server: PostgresDatabase
    database: str
    user: str
    rds_ca: Path

    def environment(self, service: str) -> PostgresEnvironment:
        """Render for the function of this name in logs, metrics and traces."""
        endpoint = _endpoint(self.server)
        return PostgresEnvironment(
            powertools_service_name=service,
            pghost=endpoint.hostname,
            pgport=str(endpoint.port),
            pgdatabase=self.database,
            pguser=self.user,
        )

    def identity(self) -> dict[str, str]:
        """Return the properties that tell this database from another one, for a custom resource that sets it up.

        The resource id changes when the server is replaced or restored. CDK knows it for an imported instance only if
        the import names it.
        """
        identity = {"Endpoint": _endpoint(self.server).hostname, "Name": self.database}
        resource_id = _resource_id(self.server)
        return identity | {"ResourceId": resource_id} if resource_id else identity

    def files(self) -> dict[str, Path]:
        """Map paths in the function's zip to the files that the login needs there."""
        return {ROOT_CERTIFICATES: self.rds_ca}


class PostgresFunction(PythonFunction):
    """A function in the database's network that may log in as one user, and reach the database's port and nothing else.

    Signing a token takes no network, and DNS and the X-Ray daemon are beyond security groups.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        login: Login,
        program: Program,
        place: Place,
        settings: FunctionSettings,
    ) -> None:
        super().__init__(scope, construct_id, program=program, place=place, settings=settings)
        self._server = login.server
        login.server.grant_connect(self, login.user)
        self.connections.allow_to_default_port(login.server, f"PostgreSQL as {login.user}")

    def usable_before(self, resource: Construct) -> None:
        """Let a resource that calls the function wait for the database and for both security groups' rules.

        CDK knows only that the function must exist; the custom resource would otherwise call it before it gets through.
        """
        resource.node.add_dependency(self, self._server, *self._server.connections.security_groups)


def _resource_id(server: PostgresDatabase) -> str | None:
    return server.cluster_resource_identifier if _is_cluster(server) else server.instance_resource_id


def _is_cluster(server: PostgresDatabase) -> TypeIs[rds.IDatabaseCluster]:
    # jsii's interfaces cannot be told apart by isinstance, and an imported database has no class of its own.
    return hasattr(server, "cluster_endpoint")


def _endpoint(server: PostgresDatabase) -> rds.Endpoint:
    return server.cluster_endpoint if _is_cluster(server) else server.instance_endpoint
