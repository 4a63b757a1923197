"""The kinds of databases and networks that another team may have."""

from collections.abc import Callable

from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds

from rds_alembic import PostgresDatabase

POSTGRES = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17)
AURORA = rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_17_4)

type CreateDatabase = Callable[[Stack, ec2.IVpc], PostgresDatabase]


def instance(stack: Stack, vpc: ec2.IVpc) -> PostgresDatabase:
    return rds.DatabaseInstance(stack, "Database", engine=POSTGRES, vpc=vpc, database_name="shop")


def instance_from_snapshot(stack: Stack, vpc: ec2.IVpc) -> PostgresDatabase:
    return rds.DatabaseInstanceFromSnapshot(
        stack,
        "Database",
        engine=POSTGRES,
        vpc=vpc,
        snapshot_identifier="before-the-move",
        credentials=rds.SnapshotCredentials.from_generated_secret("admin"),
    )


def serverless_cluster(stack: Stack, vpc: ec2.IVpc) -> PostgresDatabase:
    writer = rds.ClusterInstance.serverless_v2("Writer")
    return rds.DatabaseCluster(stack, "Database", engine=AURORA, writer=writer, vpc=vpc, iam_authentication=True)


def provisioned_cluster(stack: Stack, vpc: ec2.IVpc) -> PostgresDatabase:
    return rds.DatabaseCluster(
        stack,
        "Database",
        engine=AURORA,
        writer=rds.ClusterInstance.provisioned("Writer"),
        readers=[rds.ClusterInstance.provisioned("Reader")],
        vpc=vpc,
        credentials=rds.Credentials.from_generated_secret("root"),
        default_database_name="shop",
        iam_authentication=True,
    )


def cluster_from_snapshot(stack: Stack, vpc: ec2.IVpc) -> PostgresDatabase:
    return rds.DatabaseClusterFromSnapshot(
        stack,
        "Database",
        engine=AURORA,
        writer=rds.ClusterInstance.serverless_v2("Writer"),
        vpc=vpc,
        snapshot_identifier="before-the-move",
        snapshot_credentials=rds.SnapshotCredentials.from_generated_secret("admin"),
        iam_authentication=True,
    )


def imported_instance(stack: Stack, _vpc: ec2.IVpc) -> rds.IDatabaseInstance:
    return rds.DatabaseInstance.from_database_instance_attributes(
        stack,
        "Database",
        instance_endpoint_address="db.example",
        instance_identifier="shop",
        instance_resource_id="db-SHOP",
        port=5433,
        security_groups=[ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-1")],
    )


def imported_cluster(stack: Stack, _vpc: ec2.IVpc) -> PostgresDatabase:
    return rds.DatabaseCluster.from_database_cluster_attributes(
        stack,
        "Database",
        cluster_identifier="shop",
        cluster_endpoint_address="shop.cluster.example",
        cluster_resource_identifier="cluster-SHOP",
        port=5432,
    )


def looked_up_instance(stack: Stack, _vpc: ec2.IVpc) -> PostgresDatabase:
    return rds.DatabaseInstance.from_lookup(stack, "Database", instance_identifier="shop")
