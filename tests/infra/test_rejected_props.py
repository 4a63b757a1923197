"""Props that a deployment would reject: synth fails with the prop, the rule and the value, in one line."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds

from infra.settings import PROJECT
from rds_alembic import AlembicUpgrade, DatabaseRoles, Migrations, PostgresDatabase, RdsAlembicError
from tests.infra import databases
from tests.infra.databases import AURORA, POSTGRES

type CreateOther = Callable[[Stack, ec2.IVpc], Any]
MYSQL = rds.DatabaseInstanceEngine.mysql(version=rds.MysqlEngineVersion.VER_8_0)
AURORA_MYSQL = rds.DatabaseClusterEngine.aurora_mysql(version=rds.AuroraMysqlEngineVersion.VER_3_08_0)
WRITER = rds.ClusterInstance.serverless_v2("Writer")


@pytest.fixture(scope="module")
def stack() -> Stack:
    return Stack(App(), "Shop", env=Environment(account="111111111111", region="eu-central-1"))


@pytest.fixture(scope="module")
def vpc(stack: Stack) -> ec2.Vpc:
    return ec2.Vpc(stack, "Vpc", max_azs=2)


@pytest.fixture(scope="module")
def database(stack: Stack, vpc: ec2.Vpc) -> PostgresDatabase:
    return databases.instance(stack, vpc)


@pytest.fixture
def scope(stack: Stack, request: pytest.FixtureRequest) -> Stack:
    return Stack(stack, f"Case{abs(hash(request.node.nodeid))}", env=Environment(region="eu-central-1"))


def rejection(scope: Stack, vpc: ec2.IVpc, database: object, props: Mapping[str, object] | None = None) -> str:
    """Return the message for the props of `Migrations`. It is one line, without tokens of CDK."""
    props = {"project": PROJECT, "vpc": vpc, "database": database, **(props or {})}
    with pytest.raises(RdsAlembicError) as error:
        Migrations(scope, "Migrations", **props)  # type: ignore[arg-type] # wrong on purpose
    message = str(error.value)
    assert "\n" not in message
    assert "${Token" not in message
    return message


@pytest.mark.parametrize(
    ("prop", "value", "message"),
    [
        ("project", ["backend"], "project must be a path (got ['backend'])"),
        ("project", "", "project must be a path (got '')"),
        ("project", None, "project must be a path (got None)"),
        ("project", "nowhere", "project must be a folder with an alembic.ini or a pyproject.toml"),
        ("include", "src", "include must be a list of paths (got 'src'): write include=['src']"),
        ("include", Path("src"), "include must be a list of paths (got PosixPath('src'))"),
        ("include", [1], "include[0] must be a path (got 1)"),
        ("include", ["nowhere"], "include must be existing folders or modules of Python code (got 'nowhere')"),
        ("requirements", ["a.txt"], "requirements must be a path (got ['a.txt'])"),
        ("requirements", "no.txt", "requirements must be a file of locked requirements (got 'no.txt')"),
        ("lock_timeout_seconds", 0, "lock_timeout_seconds must be a number of seconds above 0"),
        ("lock_timeout_seconds", -5, "(got -5)"),
        ("lock_timeout_seconds", math.nan, "(got nan)"),
        ("lock_timeout_seconds", math.inf, "(got inf)"),
        ("lock_timeout_seconds", 301, "(got 301)"),
        ("lock_timeout_seconds", "3", "(got '3')"),
        ("lock_timeout_seconds", True, "(got True)"),
        ("lock_timeout_seconds", None, "(got None)"),
        ("database_name", "", "database_name must be a text of 1 to 63 bytes"),
        ("database_name", "é" * 32, "database_name must be a text of 1 to 63 bytes"),
        ("database_name", "shop\n", "(got 'shop\\n')"),
        ("database_name", 5, "(got 5)"),
        ("database_name", "rdsadmin", "database_name must not be one of rdsadmin"),
        ("users", "shop", "users must be a list of names (got 'shop'): write users=['shop']"),
        ("extensions", "vector", "extensions must be a list of texts (got 'vector'): write extensions=['vector']"),
        ("hand_over_from", "old_owner", "hand_over_from must be a list of texts (got 'old_owner')"),
        ("users", [""], "users[0] must be a text of 1 to 63 bytes"),
        ("users", ["pg_shop"], "users[0] must not be none, public, or start with pg_ or rds (got 'pg_shop')"),
        ("users", ["public"], "(got 'public')"),
        ("users", ["shop", "app_owner"], "users[1] must be another role than owner (got 'app_owner' for both)"),
        ("users", ["migrator"], "users[0] must be another role than migrator (got 'migrator' for both)"),
        ("users", ["postgres"], "users[0] must be another role than master_user (got 'postgres' for both)"),
        ("users", ["a", "a"], "users[1] must be another role than users[0] (got 'a' for both)"),
        ("owner", "migrator", "migrator must be another role than owner (got 'migrator' for both)"),
        ("owner", None, "owner must be a text"),
        ("migrator", "", "migrator must be a text of 1 to 63 bytes"),
        ("migrator", "rdsadmin", "migrator must not be"),
        ("master_user", "", "master_user must be a text of 1 to 63 bytes"),
        ("master_secret", "secret", "master_secret must be"),
        ("rds_ca", "no.pem", "rds_ca must be a file with PEM certificates (got 'no.pem')"),
        ("rds_ca", str(PROJECT / "cdk.json"), "rds_ca must be a file with PEM certificates"),
        ("baseline", "r99", "baseline must be a revision of"),
        ("log_level", "verbose", "log_level must be one of TRACE, DEBUG, INFO"),
        ("memory_size", 64, "memory_size must be a number of MiB from 128 to 10240 (got 64)"),
        ("memory_size", "512", "(got '512')"),
        ("metrics_namespace", "", "metrics_namespace must be"),
        ("metrics_namespace", "AWS/Shop", "metrics_namespace must"),
        ("environment", {"PGHOST": "x"}, "environment must not have names that Lambda or this package sets"),
        ("environment", {"AWS_REGION": "x"}, "(got 'AWS_REGION')"),
        ("environment", {"_HANDLER": "x"}, "(got '_HANDLER')"),
        ("environment", {"LOCK_TIMEOUT_SECONDS": "0"}, "(got 'LOCK_TIMEOUT_SECONDS')"),
        ("environment", {"1A": "x"}, "environment must have names of letters, digits and _ (got '1A')"),
        ("environment", {"A": 1}, "environment must be a mapping of names to texts (got 'A': 1)"),
        ("environment", ["A=1"], "environment must be a mapping of names to texts"),
        ("architecture", "arm64", "architecture must be"),
        ("encryption_key", "alias/shop", "encryption_key must be"),
        ("vpc", "vpc-1", "vpc must be a VPC of aws_cdk.aws_ec2 (got 'vpc-1')"),
        (
            "vpc_subnets",
            ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
            "vpc_subnets must be private, because a function has no public address",
        ),
        ("vpc_subnets", ec2.SubnetSelection(subnet_group_name="db"), "vpc_subnets must select subnets of the VPC"),
        ("vpc_subnets", "subnet-1", "vpc_subnets must be a SubnetSelection (got 'subnet-1')"),
    ],
)
def test_a_prop_is_rejected(
    scope: Stack, vpc: ec2.Vpc, database: PostgresDatabase, prop: str, value: object, message: str
) -> None:
    assert message in rejection(scope, vpc, database, {prop: value})


@pytest.mark.parametrize(
    ("create", "message"),
    [
        (lambda *_: "shop", "database must be a DatabaseInstance or a DatabaseCluster"),
        (
            lambda scope, vpc: rds.DatabaseInstance(scope, "Database", engine=MYSQL, vpc=vpc),
            "the engine of database must be postgres or aurora-postgresql (got 'mysql')",
        ),
        (
            lambda scope, vpc: rds.DatabaseCluster(scope, "Database", engine=AURORA_MYSQL, writer=WRITER, vpc=vpc),
            "(got 'aurora-mysql')",
        ),
        (
            lambda scope, vpc: rds.DatabaseInstance(
                scope, "Database", engine=POSTGRES, vpc=vpc, iam_authentication=False
            ),
            "iam_authentication of database must be True (got False in ",
        ),
        (
            lambda scope, vpc: rds.DatabaseCluster(scope, "Database", engine=AURORA, writer=WRITER, vpc=vpc),
            "iam_authentication of database must be True (got None in ",
        ),
        (
            lambda scope, vpc: rds.DatabaseCluster(
                scope, "Database", engine=AURORA, writer=WRITER, vpc=vpc, iam_authentication=False
            ),
            "iam_authentication of database must be True (got False in ",
        ),
        (
            lambda scope, vpc: rds.DatabaseInstanceReadReplica(
                scope,
                "Database",
                source_database_instance=databases.imported_instance(Stack(scope, "Source"), vpc),
                instance_type=ec2.InstanceType("t4g.large"),
                vpc=vpc,
            ),
            "database must be a primary, because a replica is read-only (got DatabaseInstanceReadReplica ",
        ),
        (
            lambda scope, _: rds.DatabaseCluster.from_database_cluster_attributes(
                scope, "Database", cluster_identifier="shop", cluster_resource_identifier="cluster-SHOP"
            ),
            "cluster_endpoint_address and port of database must be set where it is imported (got None in ",
        ),
        (
            lambda scope, _: rds.DatabaseCluster.from_database_cluster_attributes(
                scope, "Database", cluster_identifier="shop", cluster_endpoint_address="shop.example", port=5432
            ),
            "cluster_resource_identifier of database must be set where it is imported (got None in ",
        ),
        (
            lambda scope, _: rds.DatabaseInstance.from_database_instance_attributes(
                scope,
                "Database",
                instance_endpoint_address="db.example",
                instance_identifier="shop",
                port=5432,
                security_groups=[],
            ),
            "instance_resource_id of database must be set (got None in ",
        ),
        (databases.imported_cluster, "master_secret must be set for a database without a secret in the app"),
        (databases.instance_from_snapshot, "database_name must be set for an imported or restored database"),
    ],
)
def test_a_database_is_rejected(scope: Stack, vpc: ec2.Vpc, create: CreateOther, message: str) -> None:
    assert message in rejection(scope, vpc, create(scope, vpc))


def test_a_stack_without_a_region_is_rejected() -> None:
    stack = Stack(App(), "Shop")
    vpc = ec2.Vpc(stack, "Vpc", max_azs=2)
    message = rejection(stack, vpc, databases.instance(stack, vpc))
    assert message.startswith("region must be known at synth")
    assert message.endswith(
        "(got none in stack Shop): create the stack with env=Environment(region=...), or set rds_ca"
    )


def test_a_region_without_root_certificates_is_rejected() -> None:
    stack = Stack(App(), "Shop", env=Environment(region="il-central-1"))
    vpc = ec2.Vpc(stack, "Vpc", max_azs=2)
    assert "(got 'il-central-1')" in rejection(stack, vpc, databases.instance(stack, vpc))


@pytest.mark.parametrize("selection", [None, ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)])
def test_subnets_without_a_route_to_secrets_manager_are_rejected(
    scope: Stack, selection: ec2.SubnetSelection | None
) -> None:
    vpc = ec2.Vpc(scope, "Isolated", max_azs=2, nat_gateways=0)
    subnets = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
    database = rds.DatabaseInstance(scope, "Database", engine=POSTGRES, vpc=vpc, vpc_subnets=subnets)
    message = rejection(scope, vpc, database, {"vpc_subnets": selection})
    assert "a route to Secrets Manager (got " in message
    assert "NAT gateway" in message


def test_the_constructs_alone_reject_the_same_props(scope: Stack, vpc: ec2.Vpc, database: PostgresDatabase) -> None:
    with pytest.raises(RdsAlembicError, match=r"db_user must be a text of 1 to 63 bytes.*\(got ''\)"):
        AlembicUpgrade(scope, "Upgrade", project=PROJECT, vpc=vpc, database=database, db_user="")
    with pytest.raises(RdsAlembicError, match=r"users must be a list of names \(got 'shop'\)"):
        DatabaseRoles(scope, "Roles", vpc=vpc, database=database, users="shop")
