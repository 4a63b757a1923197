import pytest

from rds_alembic.assets.rds_ca import roots_of
from tests.infra.template import Synthesized, attribute


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
def test_the_instance_is_as_the_design_says(dev: Synthesized, name: str, value: object) -> None:
    assert dev.only("AWS::RDS::DBInstance")[name] == value


def test_the_instance_is_in_the_isolated_tier(dev: Synthesized) -> None:
    group = dev.only("AWS::RDS::DBSubnetGroup")
    isolated = [name for name in dev.of_type("AWS::EC2::Subnet") if name.startswith("NetworkVpcPrivateSubnet")]
    assert group["SubnetIds"] == [{"Ref": name} for name in isolated]
    assert dev.only("AWS::RDS::DBInstance")["DBSubnetGroupName"] == {"Ref": dev.id_of("AWS::RDS::DBSubnetGroup")}


def test_the_instance_has_a_security_group_of_its_own(dev: Synthesized) -> None:
    own = dev.id_of("AWS::EC2::SecurityGroup", "DatabaseSecurityGroup")
    assert dev.only("AWS::RDS::DBInstance")["VPCSecurityGroups"] == [attribute(own, "GroupId")]


def test_tls_is_forced(dev: Synthesized) -> None:
    parameters = dev.only("AWS::RDS::DBParameterGroup")
    assert parameters["Family"] == "postgres17"
    assert parameters["Parameters"] == {"rds.force_ssl": "1", "log_connections": "1"}
    assert dev.only("AWS::RDS::DBInstance")["DBParameterGroupName"] == {"Ref": dev.id_of("AWS::RDS::DBParameterGroup")}


def test_the_server_certificate_is_signed_by_a_root_that_the_functions_carry(dev: Synthesized) -> None:
    assert dev.only("AWS::RDS::DBInstance")["CACertificateIdentifier"] == "rds-ca-rsa2048-g1"
    assert "# Amazon RDS eu-central-1 Root CA RSA2048 G1" in roots_of("eu-central-1").read_text()


def test_the_master_password_is_generated_and_in_no_template(dev: Synthesized) -> None:
    secret = dev.only("AWS::SecretsManager::Secret")
    assert secret["GenerateSecretString"]["GenerateStringKey"] == "password"
    password = dev.only("AWS::RDS::DBInstance")["MasterUserPassword"]["Fn::Join"][1]
    assert password[0] == "{{resolve:secretsmanager:"
    assert password[1] == {"Ref": dev.id_of("AWS::SecretsManager::Secret")}


def test_what_has_state_says_what_becomes_of_it(dev: Synthesized) -> None:
    stateful = {"AWS::RDS::DBInstance", "AWS::SecretsManager::Secret", "AWS::SQS::Queue", "AWS::Logs::LogGroup"}
    policies = {
        name: (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy"))
        for name, resource in dev.resources.items()
        if resource["Type"] in stateful
    }
    assert set(policies.values()) == {("Delete", "Delete")}


def test_every_log_that_the_database_exports_has_an_end_of_retention(dev: Synthesized) -> None:
    instance = dev.id_of("AWS::RDS::DBInstance")
    names = [
        {"Fn::Join": ["", ["/aws/rds/instance/", {"Ref": instance}, f"/{log}"]]}
        for log in dev.only("AWS::RDS::DBInstance")["EnableCloudwatchLogsExports"]
    ]
    logs = dev.only("Custom::DatabaseLogs")
    assert (logs["LogGroupNames"], logs["RetentionInDays"]) == (names, "30")
