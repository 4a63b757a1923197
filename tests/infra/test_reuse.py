"""The functions for operators in the stack of another team."""

from pathlib import Path

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Template

from infra.settings import PROJECT
from rds_alembic import DatabaseOperations, Migrations, RdsAlembicError
from tests.infra.template import Synthesized, attribute


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


def import_instance(stack: Stack) -> rds.IDatabaseInstance:
    return rds.DatabaseInstance.from_database_instance_attributes(
        stack,
        "Imported",
        instance_endpoint_address="db.example",
        instance_identifier="shop",
        instance_resource_id="db-SHOP",
        port=5433,
        security_groups=[ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-1")],
    )


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
