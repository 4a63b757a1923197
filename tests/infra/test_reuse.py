"""The migration construct in somebody else's stack: another network, another kind of database, another project."""

from pathlib import Path

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from aws_cdk.assertions import Template

from infra.settings import PROJECT, FunctionSettings, parse
from rds_alembic.constructs.alembic_upgrade import AlembicUpgrade
from rds_alembic.constructs.postgres_function import Login, PostgresDatabase
from rds_alembic.constructs.python_function import Place
from rds_alembic.errors import RdsAlembicError
from tests.infra.template import Synthesized, attribute


def _synthesize(stack: Stack, *, server: PostgresDatabase, vpc: ec2.IVpc, baseline: str = "") -> Synthesized:
    login = Login(server=server, database="shop", user="schema_owner", rds_ca=parse({}).rds_ca)
    place = Place(vpc=vpc, subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS))
    settings = FunctionSettings()
    AlembicUpgrade(stack, "Upgrade", project=PROJECT, login=login, place=place, settings=settings, baseline=baseline)
    return Synthesized(Template.from_stack(stack).to_json())


def _identity(stack: Stack, server: PostgresDatabase) -> dict[str, str]:
    login = Login(server=server, database="shop", user="schema_owner", rds_ca=parse({}).rds_ca)
    resolved: dict[str, str] = stack.resolve(login.identity())
    return resolved


@pytest.fixture
def stack() -> Stack:
    return Stack(App(), "Shop")


@pytest.fixture
def vpc(stack: Stack) -> ec2.Vpc:
    return ec2.Vpc(stack, "Vpc", max_azs=2)


def test_it_takes_a_cluster_and_waits_for_its_instances(stack: Stack, vpc: ec2.Vpc) -> None:
    engine = rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_17_4)
    writer = rds.ClusterInstance.serverless_v2("Writer")
    cluster = rds.DatabaseCluster(stack, "Cluster", engine=engine, writer=writer, vpc=vpc, iam_authentication=True)
    template = _synthesize(stack, server=cluster, vpc=vpc)
    environment = template.function("UpgradeMigrator")["Environment"]["Variables"]
    assert environment["PGHOST"] == attribute(template.id_of("AWS::RDS::DBCluster"), "Endpoint.Address")
    assert (environment["PGDATABASE"], environment["PGUSER"]) == ("shop", "schema_owner")
    assert list(template.who_may("rds-db:connect")) == [template.role_of("UpgradeMigrator")]
    assert template.id_of("AWS::RDS::DBInstance") in template.depends_on(template.id_of("Custom::AlembicUpgrade"))


def test_it_takes_an_instance_that_another_stack_owns(stack: Stack, vpc: ec2.Vpc, tmp_path: Path) -> None:
    instance = rds.DatabaseInstance.from_database_instance_attributes(
        stack,
        "Imported",
        instance_endpoint_address="db.example",
        instance_identifier="shop",
        instance_resource_id="db-SHOP",
        port=5433,
        security_groups=[ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-1")],
    )
    template = _synthesize(stack, server=instance, vpc=vpc)
    environment = template.function("UpgradeMigrator")["Environment"]["Variables"]
    assert (environment["PGHOST"], environment["PGPORT"]) == ("db.example", "5433")
    assert template.only("AWS::EC2::SecurityGroupIngress")["GroupId"] == "sg-1"


@pytest.mark.parametrize(("resource_id", "known"), [("db-SHOP", {"ResourceId": "db-SHOP"}), (None, {})])
def test_the_identity_of_an_imported_instance_has_the_resource_id_that_the_import_names(
    stack: Stack, resource_id: str | None, known: dict[str, str]
) -> None:
    instance = rds.DatabaseInstance.from_database_instance_attributes(
        stack,
        "Imported",
        instance_endpoint_address="db.example",
        instance_identifier="shop",
        instance_resource_id=resource_id,
        port=5433,
        security_groups=[],
    )
    assert _identity(stack, instance) == {"Endpoint": "db.example", "Name": "shop"} | known


def test_the_identity_of_a_cluster_has_its_resource_id(stack: Stack) -> None:
    cluster = rds.DatabaseCluster.from_database_cluster_attributes(
        stack,
        "Imported",
        cluster_identifier="shop",
        cluster_endpoint_address="shop.cluster.example",
        cluster_resource_identifier="cluster-SHOP",
        port=5432,
    )
    assert _identity(stack, cluster) == {
        "Endpoint": "shop.cluster.example",
        "Name": "shop",
        "ResourceId": "cluster-SHOP",
    }


def test_a_baseline_that_is_not_in_the_project_is_rejected(stack: Stack, vpc: ec2.Vpc) -> None:
    engine = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17)
    server = rds.DatabaseInstance(stack, "Server", engine=engine, vpc=vpc, iam_authentication=True)
    with pytest.raises(RdsAlembicError, match=r"baseline must be a revision of .*migrations \(got 'r99'\)"):
        _synthesize(stack, server=server, vpc=vpc, baseline="r99")
