"""`PostgresFunction`: a function that logs in to a PostgreSQL database of RDS with IAM tokens, as one user."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Unpack

from aws_cdk import Annotations, Duration, Stack, Token
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from constructs import Construct, IConstruct

from rds_alembic.assets import SOURCES
from rds_alembic.assets.function_asset import FunctionAsset
from rds_alembic.assets.rds_ca import root_certificates
from rds_alembic.constructs.checks.database import PostgresDatabase, check_database, default_database_name, is_cluster
from rds_alembic.constructs.checks.network import choose_subnets
from rds_alembic.constructs.checks.values import check_certificates, check_database_name, check_name
from rds_alembic.constructs.python_function import FunctionOptions, PythonFunction
from rds_alembic.errors import RdsAlembicError

ROOT_CERTIFICATES = "rds-ca.pem"
"""The path of the root certificates in the zip."""


class PostgresFunction(PythonFunction):
    """A function that may log in to one database as one user, and connect to the port of that database only.

    The package `rds_iam` in its zip connects with the settings of the environment. Security groups do not apply to DNS
    and to the daemon of X-Ray, and signing a token needs no network.

    - `vpc`: the VPC of the function
    - `vpc_subnets`: private subnets; default: those with egress, or else isolated ones
    - `needs_route`: whether the function calls APIs of AWS, so that its subnets need a route; default: False
    - `database`: the instance or cluster, created or imported, with IAM authentication
    - `database_name`: the name of the database on that server; default: the initial one of a server that the app
      creates
    - `db_user`: the user that logs in
    - `rds_ca`: a PEM file with the root certificates of the server; default: those of the stack's region
    - `asset`, `handler`, `description`, `service`, `timeout`, `variables`: see `PythonFunction`
    - all others: see `FunctionOptions`

    Raises RdsAlembicError for props that a deployment would reject.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc: ec2.IVpc,
        vpc_subnets: ec2.SubnetSelection | None = None,
        needs_route: bool = False,
        database: PostgresDatabase,
        database_name: str | None = None,
        db_user: str,
        rds_ca: Path | str | None = None,
        asset: FunctionAsset,
        handler: str,
        description: str,
        service: str,
        timeout: Duration,
        variables: Mapping[str, str] = MappingProxyType({}),
        **options: Unpack[FunctionOptions],
    ) -> None:
        check_database(database)
        database_name = default_database_name(database) if database_name is None else database_name
        check_database_name(database_name)
        check_name("db_user", db_user)
        self.database, self.database_name = database, database_name
        endpoint = _endpoint(database)
        login_files = {
            "rds_iam": SOURCES / "rds_iam",
            ROOT_CERTIFICATES: _root_certificates(scope, rds_ca),
        }
        super().__init__(
            scope,
            construct_id,
            vpc=vpc,
            vpc_subnets=choose_subnets(vpc, vpc_subnets, needs_route=needs_route),
            asset=asset.with_files(login_files),
            handler=handler,
            description=description,
            service=service,
            timeout=timeout,
            variables={
                "PGHOST": endpoint.hostname,
                "PGPORT": str(endpoint.port),
                "PGDATABASE": database_name,
                "PGUSER": db_user,
                "PGSSLROOTCERT": ROOT_CERTIFICATES,
                **variables,
            },
            **options,
        )
        database.grant_connect(self.function, db_user)
        self._allow_connections(f"PostgreSQL as {db_user}")

    def _allow_connections(self, description: str) -> None:
        """Open the port of the database, in both directions if its security groups are known."""
        connections = self.function.connections
        if self.database.connections.security_groups:
            connections.allow_to_default_port(self.database, description)
            return
        connections.allow_to_any_ipv4(ec2.Port.tcp(_endpoint(self.database).port), description)
        Annotations.of(self).add_warning_v2(
            "RdsAlembic:unknownSecurityGroup",
            f"The security groups of {self.database.node.path} are not known: import it with security_groups, or allow "
            "connections from this function yourself",
        )

    @property
    def database_identity(self) -> dict[str, str]:
        """The properties of a custom resource that change when the database is replaced or restored."""
        return {
            "ResourceId": _resource_id(self.database),
            "Endpoint": _endpoint(self.database).hostname,
            "Name": self.database_name,
        }

    def execute_before(self, resource: IConstruct) -> None:
        """Create a resource that invokes the function only after the function can connect to the database.

        CDK adds the dependency on the function. The connection also needs the database and the rules of both security
        groups.
        """
        resource.node.add_dependency(self, self.database, *self.database.connections.security_groups)


def _resource_id(database: PostgresDatabase) -> str:
    # Never empty: without a resource id, `grant_connect` fails.
    return database.cluster_resource_identifier if is_cluster(database) else database.instance_resource_id or ""


def _endpoint(database: PostgresDatabase) -> rds.Endpoint:
    return database.cluster_endpoint if is_cluster(database) else database.instance_endpoint


def _root_certificates(scope: Construct, rds_ca: Path | str | None) -> Path:
    if rds_ca is not None:
        return check_certificates(rds_ca)
    region = Stack.of(scope).region
    if Token.is_unresolved(region):
        raise RdsAlembicError(
            "region must be known at synth, because the zips have the root certificates of RDS in the region "
            f"(got none in stack {Stack.of(scope).node.path}): create the stack with env=Environment(region=...), or "
            "set rds_ca"
        )
    return root_certificates(region)
