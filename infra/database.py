"""The database: an RDS PostgreSQL instance that accepts TLS only, from the allowed security groups only."""

from aws_cdk import Duration
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from constructs import Construct

from infra.nag import acknowledge
from infra.settings import DatabaseSettings

# To diagnose a rejected login: the server's log, and the reasons of RDS for rejecting an IAM token.
LOG_EXPORTS = ("postgresql", "iam-db-auth-error")
PARAMETERS = {"rds.force_ssl": "1", "log_connections": "1"}
ENHANCED_MONITORING = "IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole]"


class Database(Construct):
    """A PostgreSQL 17 instance in the isolated tier, with a generated master password and IAM authentication.

    - `vpc`: the VPC of the instance
    - `settings`: the size of the instance, and the removal of its data
    """

    def __init__(self, scope: Construct, construct_id: str, *, vpc: ec2.IVpc, settings: DatabaseSettings) -> None:
        super().__init__(scope, construct_id)
        self.vpc = vpc
        self.master_secret = rds.DatabaseSecret(self, "MasterSecret", username=settings.master)
        self.master_secret.apply_removal_policy(settings.secret_removal_policy)
        engine = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17)
        self.instance = rds.DatabaseInstance(
            self,
            "Instance",
            engine=engine,
            instance_type=ec2.InstanceType.of(ec2.InstanceClass.BURSTABLE4_GRAVITON, ec2.InstanceSize.LARGE),
            vpc=vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            security_groups=[self._security_group(vpc)],
            publicly_accessible=False,
            multi_az=settings.multi_az,
            database_name=settings.name,
            credentials=rds.Credentials.from_secret(self.master_secret, settings.master),
            iam_authentication=True,
            parameter_group=rds.ParameterGroup(self, "Parameters", engine=engine, parameters=PARAMETERS),
            ca_certificate=rds.CaCertificate.RDS_CA_RSA2048_G1,  # its root is in the zips of the functions
            storage_type=rds.StorageType.GP3,
            allocated_storage=settings.storage_gib,
            storage_encrypted=True,
            allow_major_version_upgrade=True,
            auto_minor_version_upgrade=True,
            backup_retention=Duration.days(settings.backup_days),
            # Never True: the rollback of a first deployment could not delete the instance.
            deletion_protection=None if settings.keep_backups else False,
            removal_policy=settings.removal_policy,
            delete_automated_backups=not settings.keep_backups,
            cloudwatch_logs_exports=list(LOG_EXPORTS),
            monitoring_interval=Duration.seconds(settings.monitoring_seconds),
        )
        if settings.snapshot:
            _restore(self.instance, settings.snapshot)
        self._acknowledge(settings)

    def _security_group(self, vpc: ec2.IVpc) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(
            self, "SecurityGroup", vpc=vpc, description="Connections to the database", allow_all_outbound=False
        )

    def _acknowledge(self, settings: DatabaseSettings) -> None:
        acknowledge(
            self.instance,
            "RDS11",
            reason="Another port would hide nothing: the security group allows the functions only.",
        )
        acknowledge(
            self.master_secret,
            "SMG4",
            reason="Only the role setup uses the password. All other logins are by IAM token.",
        )
        if not settings.multi_az:
            acknowledge(self.instance, "RDS3", reason="The stage dev may be down. The stage prod has two zones.")
        if settings.monitoring_seconds:
            acknowledge(
                self.instance,
                ENHANCED_MONITORING,
                reason="RDS needs this policy, which AWS maintains, to write its metrics.",
            )
        acknowledge(
            self.instance,
            "RDS10",
            reason="The stage dev may be lost. Custom::DeletionProtection protects prod after the migration.",
        )


def _restore(instance: rds.DatabaseInstance, snapshot: str) -> None:
    """Create the instance from a snapshot, which decides about these properties instead of the template.

    CloudFormation replaces the instance when the snapshot changes, and an empty database follows when the setting is
    removed: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-rds-dbinstance.html
    """
    resource = instance.node.default_child
    if not isinstance(resource, rds.CfnDBInstance):
        raise TypeError(f"{instance.node.path} must be an AWS::RDS::DBInstance")
    resource.db_snapshot_identifier = snapshot
    resource.db_name = resource.master_username = resource.master_user_password = None
