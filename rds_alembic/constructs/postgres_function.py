"""`PostgresFunction`: a function that logs in to a PostgreSQL database of RDS with IAM tokens, as one user."""

from collections.abc import Mapping
from pathlib import Path
from typing import Unpack

from aws_cdk import Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from constructs import Construct, IConstruct
from typing_extensions import TypeIs

from rds_alembic.assets import SOURCES
from rds_alembic.assets.function_asset import FunctionAsset
from rds_alembic.assets.rds_ca import root_certificates
from rds_alembic.constructs.python_function import FunctionOptions, PythonFunction

ROOT_CERTIFICATES = "rds-ca.pem"
"""The path of the root certificates in the zip."""

type PostgresDatabase = rds.IDatabaseInstance | rds.IDatabaseCluster


class PostgresFunction(PythonFunction):
    """A function that may log in to one database as one user, and connect to the port of that database only.

    The package `rds_iam` in its zip connects with the settings of the environment. Security groups do not apply to DNS
    and to the daemon of X-Ray, and signing a token needs no network.

    - `vpc`, `vpc_subnets`: the VPC and the subnets of the function
    - `database`: the instance or cluster, created or imported, with IAM authentication
    - `database_name`: the name of the database on that server
    - `db_user`: the user that logs in
    - `rds_ca`: a PEM file with the root certificates of the server; default: those of the stack's region
    - `asset`, `handler`, `description`, `service`, `timeout`, `environment`, `memory_size`: see `PythonFunction`
    - `architecture`, `log_retention`, `log_removal_policy`: see `FunctionOptions`
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc: ec2.IVpc,
        vpc_subnets: ec2.SubnetSelection,
        database: PostgresDatabase,
        database_name: str,
        db_user: str,
        rds_ca: Path | None = None,
        asset: FunctionAsset,
        handler: str,
        description: str,
        service: str,
        timeout: Duration,
        environment: Mapping[str, str] | None = None,
        memory_size: int = 256,
        **options: Unpack[FunctionOptions],
    ) -> None:
        self.database, self.database_name = database, database_name
        endpoint = _endpoint(database)
        login_files = {
            "rds_iam": SOURCES / "rds_iam",
            ROOT_CERTIFICATES: rds_ca or root_certificates(Stack.of(scope).region),
        }
        super().__init__(
            scope,
            construct_id,
            vpc=vpc,
            vpc_subnets=vpc_subnets,
            asset=asset.with_files(login_files),
            handler=handler,
            description=description,
            service=service,
            timeout=timeout,
            environment={
                "PGHOST": endpoint.hostname,
                "PGPORT": str(endpoint.port),
                "PGDATABASE": database_name,
                "PGUSER": db_user,
                "PGSSLROOTCERT": ROOT_CERTIFICATES,
                **(environment or {}),
            },
            memory_size=memory_size,
            **options,
        )
        database.grant_connect(self.function, db_user)
        self.function.connections.allow_to_default_port(database, f"PostgreSQL as {db_user}")

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
    return database.cluster_resource_identifier if _is_cluster(database) else database.instance_resource_id or ""


def _is_cluster(database: PostgresDatabase) -> TypeIs[rds.IDatabaseCluster]:
    # isinstance does not work with the interfaces of jsii, and an imported database has no public class.
    return hasattr(database, "cluster_endpoint")


def _endpoint(database: PostgresDatabase) -> rds.Endpoint:
    return database.cluster_endpoint if _is_cluster(database) else database.instance_endpoint
