"""`Migrations` and `AlembicUpgrade` in the stack of another team: kinds of databases and networks, function options."""

from typing import Any

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Template

from infra.settings import PROJECT
from rds_alembic import AlembicUpgrade, Migrations
from rds_alembic.constructs.checks.database import check_database, default_database_name
from rds_alembic.constructs.checks.network import choose_subnets
from rds_alembic.constructs.checks.roles import choose_master
from rds_alembic.revisions.alembic_project import AlembicProject
from tests.infra import databases
from tests.infra.databases import CreateDatabase
from tests.infra.template import Synthesized, attribute

REVISION = AlembicProject.read(PROJECT).revisions[0]
MIGRATOR, ROLES = "MigrationsUpgradeMigrator", "MigrationsRolesHandler"
EGRESS, ISOLATED = ec2.SubnetType.PRIVATE_WITH_EGRESS, ec2.SubnetType.PRIVATE_ISOLATED


def create_stack() -> Stack:
    return Stack(App(), "Shop", env=Environment(account="111111111111", region="eu-central-1"))


@pytest.fixture(scope="module")
def template() -> Synthesized:
    """Synthesize a stack with two Alembic projects for one database, and with two imported databases."""
    stack = create_stack()
    vpc = ec2.Vpc(stack, "Vpc", max_azs=2)
    cluster = databases.serverless_cluster(stack, vpc)
    Migrations(
        stack,
        "Migrations",
        project=str(PROJECT),
        vpc=vpc,
        database=cluster,
        memory_size=1024,
        environment={"TENANT": "acme"},
        encryption_key=kms.Key(stack, "Key"),
        log_level="DEBUG",
        metrics_namespace="Shop/Migrations",
    )
    AlembicUpgrade(stack, "Billing", project=PROJECT, vpc=vpc, database=cluster, db_user="migrator")
    other = databases.imported_cluster(Stack(stack, "Other"), vpc)
    AlembicUpgrade(stack, "Audit", project=PROJECT, vpc=vpc, database=other, database_name="audit", db_user="auditor")
    Migrations(
        stack,
        "Legacy",
        project=PROJECT,
        vpc=vpc,
        database=databases.imported_instance(Stack(stack, "Old"), vpc),
        database_name="shop",
        master_user="admin",
        master_secret=secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "shop"),
        revoke_public=False,
        extensions=["vector"],
        baseline=REVISION,
        accept_differences="all",
        rerun="after the restore",
    )
    return Synthesized(Template.from_stack(stack).to_json())


def variables(template: Synthesized, function: str) -> dict[str, Any]:
    environment: dict[str, Any] = template.function(function)["Environment"]["Variables"]
    return environment


def test_three_props_suffice_for_a_database_of_the_app(template: Synthesized) -> None:
    migrator, roles = variables(template, MIGRATOR), variables(template, ROLES)
    assert (migrator["PGDATABASE"], migrator["PGUSER"]) == ("postgres", "migrator")
    assert (roles["PGDATABASE"], roles["PGUSER"]) == ("postgres", "postgres")
    assert roles["MASTER_SECRET_ARN"] == {"Ref": template.id_of("AWS::SecretsManager::SecretTargetAttachment")}
    cluster = template.id_of("AWS::RDS::DBCluster")
    assert migrator["PGHOST"] == roles["PGHOST"] == attribute(cluster, "Endpoint.Address")
    assert template.role_of(MIGRATOR) in template.roles_allowed("rds-db:connect")
    role_setup = template.id_of("Custom::DatabaseRoles", "Migrations")
    assert role_setup in template.depends_on(template.id_of("Custom::AlembicUpgrade", "Migrations"))
    assert set(template.of_type("AWS::RDS::DBInstance")) <= template.dependencies(role_setup)


def test_functions_use_the_private_subnets_with_egress_by_default(template: Synthesized) -> None:
    for function in (MIGRATOR, ROLES):
        subnets = [subnet["Ref"] for subnet in template.function(function)["VpcConfig"]["SubnetIds"]]
        assert len(subnets) == 2
        assert all(subnet.startswith("VpcPrivateSubnet") for subnet in subnets)


def test_the_options_of_functions_apply_to_all_functions(template: Synthesized) -> None:
    powertools = {"POWERTOOLS_LOG_LEVEL": "DEBUG", "POWERTOOLS_METRICS_NAMESPACE": "Shop/Migrations"}
    for function in (MIGRATOR, ROLES, "MigrationsUpgradeOnEvent"):
        assert template.function(function)["MemorySize"] == 1024
        assert {"TENANT": "acme", **powertools}.items() <= variables(template, function).items()


def test_a_key_encrypts_the_log_groups_and_the_environment_and_its_policies_allow_that(template: Synthesized) -> None:
    key = attribute(template.id_of("AWS::KMS::Key"), "Arn")
    groups = {name: group for name, group in template.of_type("AWS::Logs::LogGroup").items() if "Migrations" in name}
    functions = {name: one for name, one in template.of_type("AWS::Lambda::Function").items() if "Migrations" in name}
    assert [group for group in groups.values() if group.get("KmsKeyId") != key] == []
    assert [function for function in functions.values() if function.get("KmsKeyArn") != key] == []
    statements = template.properties("AWS::KMS::Key")["KeyPolicy"]["Statement"]
    assert [one for one in statements if one["Principal"] == {"Service": "logs.eu-central-1.amazonaws.com"}]
    roles = {function["Role"]["Fn::GetAtt"][0] for function in functions.values()}
    assert len(groups) >= 3
    assert roles <= set(template.roles_allowed("kms:Decrypt"))


def test_two_upgrades_of_one_database_run_one_after_the_other(template: Synthesized) -> None:
    first, second = (template.id_of("Custom::AlembicUpgrade", prefix) for prefix in ("Migrations", "Billing"))
    assert first in template.depends_on(second)
    assert second not in template.dependencies(first)


def test_upgrades_of_two_databases_do_not_wait_for_each_other(template: Synthesized) -> None:
    upgrades = set(template.of_type("Custom::AlembicUpgrade"))
    other = template.id_of("Custom::AlembicUpgrade", "Audit")
    assert [name for name in upgrades if other in template.dependencies(name)] == []
    assert template.dependencies(other) & upgrades == set()


def test_a_function_may_connect_to_an_imported_database_whose_security_group_is_not_known(
    template: Synthesized,
) -> None:
    [egress] = template.properties("AWS::EC2::SecurityGroup", "AuditMigrator")["SecurityGroupEgress"]
    assert (egress["CidrIp"], egress["FromPort"], egress["ToPort"]) == ("0.0.0.0/0", 5432, 5432)


def test_an_imported_instance_is_reached_at_its_endpoint_through_its_security_group(template: Synthesized) -> None:
    migrator = variables(template, "LegacyUpgradeMigrator")
    assert (migrator["PGHOST"], migrator["PGPORT"]) == ("db.example", "5433")
    ingress = template.of_type("AWS::EC2::SecurityGroupIngress").values()
    assert len([rule for rule in ingress if rule["GroupId"] == "sg-1"]) == 2


def test_the_identity_of_an_imported_database_has_its_resource_id(template: Synthesized) -> None:
    cluster = {"Endpoint": "shop.cluster.example", "Name": "audit", "ResourceId": "cluster-SHOP"}
    assert template.properties("Custom::AlembicUpgrade", "Audit")["Database"] == cluster
    instance = {"Endpoint": "db.example", "Name": "shop", "ResourceId": "db-SHOP"}
    assert template.properties("Custom::AlembicUpgrade", "Legacy")["Database"] == instance
    assert template.properties("Custom::DatabaseRoles", "Legacy")["Database"] == instance


def test_a_role_setup_may_leave_public_alone_and_be_repeated(template: Synthesized) -> None:
    properties = template.properties("Custom::DatabaseRoles", "Legacy")
    assert (properties["RevokePublic"], properties["Rerun"]) == ("false", "after the restore")


def test_the_props_for_an_existing_database_reach_the_role_setup_and_the_upgrade(template: Synthesized) -> None:
    roles = template.properties("Custom::DatabaseRoles", "Legacy")
    upgrade = template.properties("Custom::AlembicUpgrade", "Legacy")
    assert (roles["Extensions"], roles["Baseline"]) == (["vector"], REVISION)
    assert (upgrade["Baseline"], upgrade["AcceptDifferences"]) == (REVISION, "all")


@pytest.mark.parametrize(
    ("create", "name", "master"),
    [
        (databases.instance, "shop", "postgres"),
        (databases.serverless_cluster, "postgres", "postgres"),
        (databases.provisioned_cluster, "shop", "root"),
    ],
)
def test_the_names_of_database_and_master_user_are_those_of_the_server(
    create: CreateDatabase, name: str, master: str
) -> None:
    stack = create_stack()
    database = create(stack, ec2.Vpc(stack, "Vpc", max_azs=2))
    check_database(database)
    assert default_database_name(database) == name
    assert choose_master(database, None, None).user == master


@pytest.mark.parametrize("create", [databases.instance_from_snapshot, databases.cluster_from_snapshot])
def test_the_master_user_of_a_restored_server_is_the_one_of_its_new_secret(create: CreateDatabase) -> None:
    stack = create_stack()
    database = create(stack, ec2.Vpc(stack, "Vpc", max_azs=2))
    check_database(database)
    assert choose_master(database, None, None).user == "admin"


@pytest.mark.parametrize("create", [databases.imported_instance, databases.looked_up_instance])
def test_an_imported_database_is_accepted(create: CreateDatabase) -> None:
    stack = create_stack()
    database = create(stack, ec2.Vpc(stack, "Vpc", max_azs=2))
    check_database(database)
    secret = secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "shop")
    assert choose_master(database, "admin", secret).user == "admin"


def test_isolated_subnets_suffice_if_the_function_needs_no_route() -> None:
    vpc = ec2.Vpc(create_stack(), "Vpc", max_azs=2, nat_gateways=0)
    assert choose_subnets(vpc, None, needs_route=False).subnet_type == ISOLATED


def test_isolated_subnets_suffice_with_an_endpoint_of_secrets_manager() -> None:
    vpc = ec2.Vpc(create_stack(), "Vpc", max_azs=2, nat_gateways=0)
    vpc.add_interface_endpoint("Secrets", service=ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER)
    assert choose_subnets(vpc, None, needs_route=True).subnet_type == ISOLATED
    selection = ec2.SubnetSelection(subnet_type=ISOLATED)
    assert choose_subnets(vpc, selection, needs_route=True) == selection


def test_the_endpoints_of_an_imported_vpc_may_suffice() -> None:
    vpc = ec2.Vpc.from_vpc_attributes(
        create_stack(), "Vpc", vpc_id="vpc-1", availability_zones=["a", "b"], isolated_subnet_ids=["s-1", "s-2"]
    )
    assert choose_subnets(vpc, None, needs_route=True).subnet_type == ISOLATED
