"""The CDK app of a team that has installed the package: `python app.py FOLDER` writes its assembly.

Each stack has a database of another kind.
"""

import os
import platform
import sys
from collections.abc import Callable
from functools import partial

from aws_cdk import App, CfnOutput, Environment, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager

from rds_alembic import Migrations

POSTGRES = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17)
AURORA = rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_17_4)
ARM = platform.machine() in ("aarch64", "arm64")
ARCHITECTURE = lambda_.Architecture.ARM_64 if ARM else lambda_.Architecture.X86_64
# The props that the local AWS needs
migrate = partial(Migrations, project="backend", rds_ca=os.environ["SHOP_RDS_CA"], architecture=ARCHITECTURE)


def instance(stack: Stack, vpc: ec2.Vpc) -> None:
    database = rds.DatabaseInstance(
        stack, "Database", engine=POSTGRES, vpc=vpc, database_name="shop", removal_policy=RemovalPolicy.DESTROY
    )
    migrations = migrate(stack, "Migrations", vpc=vpc, database=database, users=["shop"])
    CfnOutput(stack, "Revision", value=migrations.upgrade.revision)


def serverless_cluster(stack: Stack, vpc: ec2.Vpc) -> None:
    writer = rds.ClusterInstance.serverless_v2("Writer")
    database = rds.DatabaseCluster(stack, "Database", engine=AURORA, writer=writer, vpc=vpc, iam_authentication=True)
    migrate(stack, "Migrations", vpc=vpc, database=database, users=["shop"])


def provisioned_cluster(stack: Stack, vpc: ec2.Vpc) -> None:
    writer = rds.ClusterInstance.provisioned("Writer")
    database = rds.DatabaseCluster(stack, "Database", engine=AURORA, writer=writer, vpc=vpc, iam_authentication=True)
    migrate(stack, "Migrations", vpc=vpc, database=database, users=["shop"])


def restored_instance(stack: Stack, vpc: ec2.Vpc) -> None:
    database = rds.DatabaseInstanceFromSnapshot(
        stack,
        "Database",
        engine=POSTGRES,
        vpc=vpc,
        snapshot_identifier="before-the-move",
        credentials=rds.SnapshotCredentials.from_generated_secret("postgres"),
    )
    migrate(stack, "Migrations", vpc=vpc, database=database, database_name="shop")


def imported_instance(stack: Stack, vpc: ec2.Vpc) -> None:
    database = rds.DatabaseInstance.from_database_instance_attributes(
        stack,
        "Database",
        instance_endpoint_address="shop.example",
        instance_identifier="shop",
        instance_resource_id="db-SHOP",
        port=5432,
        security_groups=[ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-1")],
    )
    secret = secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "shop")
    migrate(
        stack,
        "Migrations",
        vpc=vpc,
        database=database,
        database_name="shop",
        master_user="postgres",
        master_secret=secret,
    )


def add_stack(app: App, create: Callable[[Stack, ec2.Vpc], None]) -> None:
    name = create.__name__.replace("_", "-")
    region, account = os.environ["CDK_DEFAULT_REGION"], os.environ["CDK_DEFAULT_ACCOUNT"]
    stack = Stack(app, f"shop-{name}", env=Environment(region=region, account=account))
    create(stack, ec2.Vpc(stack, "Vpc", availability_zones=[f"{region}a", f"{region}b"], nat_gateways=1))


KINDS = (instance, serverless_cluster, provisioned_cluster, restored_instance, imported_instance)

if __name__ == "__main__":
    assembly = App(analytics_reporting=False, outdir=sys.argv[1])
    for kind in KINDS:
        add_stack(assembly, kind)
    assembly.synth()
