import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk.assertions import Template

from infra.database import Database
from infra.settings import DatabaseSettings
from rds_alembic import root_certificates
from tests.infra.template import Synthesized, attribute

ISOLATED = ec2.SubnetConfiguration(name="Private", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Engine", "postgres"),
        ("EngineVersion", "17"),
        ("DBInstanceClass", "db.t4g.large"),
        ("DBName", "app"),
        ("MasterUsername", "postgres"),
        ("MultiAZ", False),
        ("AllowMajorVersionUpgrade", True),
        ("AutoMinorVersionUpgrade", True),
        ("BackupRetentionPeriod", 21),
        ("EnableIAMDatabaseAuthentication", True),
        ("StorageEncrypted", True),
        ("PubliclyAccessible", False),
        ("DeletionProtection", False),
        ("StorageType", "gp3"),
        ("AllocatedStorage", "20"),
        ("MonitoringInterval", 0),
        ("EnableCloudwatchLogsExports", ["postgresql", "iam-db-auth-error"]),
    ],
)
def test_the_instance_has_the_properties_of_the_design(dev: Synthesized, name: str, value: object) -> None:
    assert dev.properties("AWS::RDS::DBInstance")[name] == value


def test_the_instance_is_in_the_isolated_tier(dev: Synthesized) -> None:
    group = dev.properties("AWS::RDS::DBSubnetGroup")
    isolated = [name for name in dev.of_type("AWS::EC2::Subnet") if name.startswith("NetworkVpcPrivateSubnet")]
    assert group["SubnetIds"] == [{"Ref": name} for name in isolated]
    assert dev.properties("AWS::RDS::DBInstance")["DBSubnetGroupName"] == {"Ref": dev.id_of("AWS::RDS::DBSubnetGroup")}


def test_the_instance_has_its_own_security_group(dev: Synthesized) -> None:
    own = dev.id_of("AWS::EC2::SecurityGroup", "DatabaseSecurityGroup")
    assert dev.properties("AWS::RDS::DBInstance")["VPCSecurityGroups"] == [attribute(own, "GroupId")]


def test_tls_is_forced(dev: Synthesized) -> None:
    parameters = dev.properties("AWS::RDS::DBParameterGroup")
    assert parameters["Family"] == "postgres17"
    assert parameters["Parameters"] == {"rds.force_ssl": "1", "log_connections": "1"}
    assert dev.properties("AWS::RDS::DBInstance")["DBParameterGroupName"] == {
        "Ref": dev.id_of("AWS::RDS::DBParameterGroup")
    }


def test_the_server_certificate_is_signed_by_a_root_in_the_zips_of_the_functions(dev: Synthesized) -> None:
    assert dev.properties("AWS::RDS::DBInstance")["CACertificateIdentifier"] == "rds-ca-rsa2048-g1"
    assert "# Amazon RDS eu-central-1 Root CA RSA2048 G1" in root_certificates("eu-central-1").read_text()


def test_the_master_password_is_generated_and_is_not_in_the_template(dev: Synthesized) -> None:
    secret = dev.properties("AWS::SecretsManager::Secret")
    assert secret["GenerateSecretString"]["GenerateStringKey"] == "password"
    password = dev.properties("AWS::RDS::DBInstance")["MasterUserPassword"]["Fn::Join"][1]
    assert password[0] == "{{resolve:secretsmanager:"
    assert password[1] == {"Ref": dev.id_of("AWS::SecretsManager::Secret")}


def test_every_stateful_resource_of_dev_has_the_removal_policy_delete(dev: Synthesized) -> None:
    stateful = {"AWS::RDS::DBInstance", "AWS::SecretsManager::Secret", "AWS::SQS::Queue", "AWS::Logs::LogGroup"}
    policies = {
        name: (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy"))
        for name, resource in dev.resources.items()
        if resource["Type"] in stateful
    }
    assert set(policies.values()) == {("Delete", "Delete")}


def test_every_exported_log_of_the_database_has_a_retention(dev: Synthesized) -> None:
    instance = dev.id_of("AWS::RDS::DBInstance")
    names = [
        {"Fn::Join": ["", ["/aws/rds/instance/", {"Ref": instance}, f"/{log}"]]}
        for log in dev.properties("AWS::RDS::DBInstance")["EnableCloudwatchLogsExports"]
    ]
    logs = dev.properties("Custom::DatabaseLogs")
    assert (logs["LogGroupNames"], logs["RetentionInDays"]) == (names, "30")


def test_an_instance_from_a_snapshot_has_no_property_that_the_snapshot_decides() -> None:
    stack = Stack(App(), "Restored")
    vpc = ec2.Vpc(stack, "Vpc", subnet_configuration=[ISOLATED])
    Database(stack, "Database", vpc=vpc, settings=DatabaseSettings(snapshot="rds:shop-2026-11-25"))
    [instance] = Template.from_stack(stack).find_resources("AWS::RDS::DBInstance").values()
    assert instance["Properties"]["DBSnapshotIdentifier"] == "rds:shop-2026-11-25"
    assert not instance["Properties"].keys() & {"DBName", "MasterUsername", "MasterUserPassword"}
    assert instance["Properties"]["StorageEncrypted"] is True
