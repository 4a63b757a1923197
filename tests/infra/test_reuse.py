"""The constructs in the stack of another team: another network, another kind of database, another project."""

from pathlib import Path

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Template

from infra.settings import PROJECT
from rds_alembic import (
    AlembicUpgrade,
    DatabaseOperations,
    DatabaseRoles,
    Migrations,
    PostgresDatabase,
    RdsAlembicError,
)
from tests.infra.template import Synthesized, attribute

EGRESS = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS)


@pytest.fixture
def stack() -> Stack:
    return Stack(App(), "Shop")


@pytest.fixture
def vpc(stack: Stack) -> ec2.Vpc:
    return ec2.Vpc(stack, "Vpc", max_azs=2)


@pytest.fixture(scope="session")
def rds_ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rds-ca") / "roots.pem"
    path.write_text("-----BEGIN CERTIFICATE-----\n")
    return path


def import_instance(stack: Stack, resource_id: str | None = "db-SHOP") -> rds.IDatabaseInstance:
    return rds.DatabaseInstance.from_database_instance_attributes(
        stack,
        "Imported",
        instance_endpoint_address="db.example",
        instance_identifier="shop",
        instance_resource_id=resource_id,
        port=5433,
        security_groups=[ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-1")],
    )


def add_upgrade(
    stack: Stack, vpc: ec2.IVpc, database: PostgresDatabase, rds_ca: Path | None, *, baseline: str = ""
) -> Synthesized:
    AlembicUpgrade(
        stack,
        "Upgrade",
        project=PROJECT,
        vpc=vpc,
        vpc_subnets=EGRESS,
        database=database,
        database_name="shop",
        db_user="schema_owner",
        rds_ca=rds_ca,
        baseline=baseline,
    )
    return Synthesized(Template.from_stack(stack).to_json())


def test_roles_that_may_read_get_the_permissions_for_one_stack(stack: Stack, vpc: ec2.Vpc, rds_ca: Path) -> None:
    migrations = Migrations(
        stack,
        "Migrations",
        project=PROJECT,
        vpc=vpc,
        database=import_instance(stack),
        database_name="shop",
        rds_ca=rds_ca,
        master_user="admin",
        master_secret=secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "shop"),
        reader="support",
    )
    operations = DatabaseOperations(
        stack, "Operations", upgrade=migrations.upgrade, roles=migrations.roles, vpc=vpc, rds_ca=rds_ca
    )
    support = iam.Role(stack, "Support", assumed_by=iam.AccountRootPrincipal())
    operations.grant_read(support).assert_success()
    template = Synthesized(Template.from_stack(stack).to_json())
    assert template.function("OperationsRead")["Environment"]["Variables"]["PGUSER"] == "support"
    reads = attribute(template.id_of("AWS::Lambda::Function", "OperationsRead"), "Arn")
    assert reads in template.roles_allowed("lambda:InvokeFunction")[template.id_of("AWS::IAM::Role", "Support")]


def test_operations_need_roles_with_a_reader(stack: Stack, vpc: ec2.Vpc, rds_ca: Path) -> None:
    migrations = Migrations(
        stack,
        "Migrations",
        project=PROJECT,
        vpc=vpc,
        database=import_instance(stack),
        database_name="shop",
        rds_ca=rds_ca,
        master_user="admin",
        master_secret=secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "shop"),
    )
    with pytest.raises(RdsAlembicError, match=r"reader must be the name of a role .* set it in Shop/Migrations/Roles"):
        DatabaseOperations(stack, "Operations", upgrade=migrations.upgrade, roles=migrations.roles, vpc=vpc)


def test_an_upgrade_of_a_cluster_waits_for_the_instances_of_the_cluster(
    stack: Stack, vpc: ec2.Vpc, rds_ca: Path
) -> None:
    engine = rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_17_4)
    writer = rds.ClusterInstance.serverless_v2("Writer")
    cluster = rds.DatabaseCluster(stack, "Cluster", engine=engine, writer=writer, vpc=vpc, iam_authentication=True)
    template = add_upgrade(stack, vpc, cluster, rds_ca)
    environment = template.function("UpgradeMigrator")["Environment"]["Variables"]
    assert environment["PGHOST"] == attribute(template.id_of("AWS::RDS::DBCluster"), "Endpoint.Address")
    assert (environment["PGDATABASE"], environment["PGUSER"]) == ("shop", "schema_owner")
    assert list(template.roles_allowed("rds-db:connect")) == [template.role_of("UpgradeMigrator")]
    assert template.id_of("AWS::RDS::DBInstance") in template.depends_on(template.id_of("Custom::AlembicUpgrade"))


def test_an_upgrade_of_an_imported_instance_connects_to_its_endpoint_through_its_security_group(
    stack: Stack, vpc: ec2.Vpc, rds_ca: Path
) -> None:
    template = add_upgrade(stack, vpc, import_instance(stack), rds_ca)
    environment = template.function("UpgradeMigrator")["Environment"]["Variables"]
    assert (environment["PGHOST"], environment["PGPORT"]) == ("db.example", "5433")
    assert template.properties("AWS::EC2::SecurityGroupIngress")["GroupId"] == "sg-1"


def test_the_identity_of_an_imported_instance_has_its_resource_id(stack: Stack, vpc: ec2.Vpc, rds_ca: Path) -> None:
    template = add_upgrade(stack, vpc, import_instance(stack), rds_ca)
    identity = template.properties("Custom::AlembicUpgrade")["Database"]
    assert identity == {"Endpoint": "db.example", "Name": "shop", "ResourceId": "db-SHOP"}


def test_an_imported_instance_without_its_resource_id_is_rejected(stack: Stack, vpc: ec2.Vpc, rds_ca: Path) -> None:
    with pytest.raises(RdsAlembicError, match=r"instance_resource_id of database must be set \(got None"):
        add_upgrade(stack, vpc, import_instance(stack, resource_id=None), rds_ca)


def test_the_identity_of_an_imported_cluster_has_its_resource_id(stack: Stack, vpc: ec2.Vpc, rds_ca: Path) -> None:
    cluster = rds.DatabaseCluster.from_database_cluster_attributes(
        stack,
        "Imported",
        cluster_identifier="shop",
        cluster_endpoint_address="shop.cluster.example",
        cluster_resource_identifier="cluster-SHOP",
        port=5432,
    )
    identity = add_upgrade(stack, vpc, cluster, rds_ca).properties("Custom::AlembicUpgrade")["Database"]
    assert identity == {"Endpoint": "shop.cluster.example", "Name": "shop", "ResourceId": "cluster-SHOP"}


def test_a_baseline_that_is_not_in_the_project_is_rejected(stack: Stack, vpc: ec2.Vpc, rds_ca: Path) -> None:
    with pytest.raises(RdsAlembicError, match=r"baseline must be a revision of .* \(got 'r99'\)"):
        add_upgrade(stack, vpc, import_instance(stack), rds_ca, baseline="r99")


def test_a_stack_without_a_region_needs_root_certificates(stack: Stack, vpc: ec2.Vpc) -> None:
    with pytest.raises(RdsAlembicError, match=r"region must be known at synth.*\(got none in stack Shop\).*rds_ca"):
        add_upgrade(stack, vpc, import_instance(stack), None)


def test_a_role_setup_may_leave_public_alone_and_be_repeated(stack: Stack, vpc: ec2.Vpc, rds_ca: Path) -> None:
    DatabaseRoles(
        stack,
        "Roles",
        vpc=vpc,
        vpc_subnets=EGRESS,
        database=import_instance(stack),
        database_name="shop",
        rds_ca=rds_ca,
        master_user="admin",
        master_secret=secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "shop"),
        owner="shop_owner",
        migrator="shop_migrator",
        users=[],
        revoke_public=False,
        rerun="after the restore",
    )
    properties = Synthesized(Template.from_stack(stack).to_json()).properties("Custom::DatabaseRoles")
    assert (properties["RevokePublic"], properties["Rerun"]) == ("false", "after the restore")
    assert properties["Database"] == {"ResourceId": "db-SHOP", "Endpoint": "db.example", "Name": "shop"}
