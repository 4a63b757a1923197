"""The construct for the roles in another stack than this project's."""

from aws_cdk import App, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Template

from infra.settings import FunctionSettings, parse
from rds_alembic.constructs.database_roles import DatabaseRoles
from rds_alembic.constructs.postgres_function import Login
from rds_alembic.constructs.python_function import Place
from tests.infra.template import Synthesized


def test_a_team_may_leave_public_alone_and_force_a_run() -> None:
    stack = Stack(App(), "Shop")
    vpc = ec2.Vpc(stack, "Vpc", max_azs=2)
    instance = rds.DatabaseInstance.from_database_instance_attributes(
        stack,
        "Imported",
        instance_endpoint_address="db.example",
        instance_identifier="shop",
        instance_resource_id="db-SHOP",
        port=5432,
        security_groups=[ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-1")],
    )
    DatabaseRoles(
        stack,
        "Roles",
        login=Login(server=instance, database="shop", user="admin", rds_ca=parse({}).rds_ca),
        master_secret=secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "shop"),
        owner="shop_owner",
        migrator="shop_migrator",
        users=[],
        place=Place(vpc=vpc, subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS)),
        settings=FunctionSettings(),
        revoke_public=False,
        rerun="after the restore",
    )
    properties = Synthesized(Template.from_stack(stack).to_json()).only("Custom::DatabaseRoles")
    assert (properties["RevokePublic"], properties["Rerun"]) == ("false", "after the restore")
    assert properties["Database"] == {"ResourceId": "db-SHOP", "Endpoint": "db.example", "Name": "shop"}
