"""An existing database: CDK's context providers read its values from AWS once, and keep them in cdk.context.json."""

from aws_cdk import Stack, Token
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.settings import ExistingDatabaseSettings
from rds_alembic import RdsAlembicError


class ExistingDatabase(Construct):
    """An RDS instance that this stack did not create, with its VPC, its security groups and its master secret.

    The stack adds rules to the security groups, and changes nothing else of the instance.

    - `settings`: the identifiers of the instance, the VPC and the secret
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: ExistingDatabaseSettings) -> None:
        super().__init__(scope, construct_id)
        if Token.is_unresolved(Stack.of(self).account):
            raise RdsAlembicError(
                f"CDK_DEFAULT_ACCOUNT must be the account of the database {settings.identifier} (got nothing): the cdk"
                " command sets it if the shell has credentials of AWS"
            )
        self.vpc = ec2.Vpc.from_lookup(self, "Vpc", vpc_id=settings.vpc_id)
        self.instance = rds.DatabaseInstance.from_lookup(self, "Instance", instance_identifier=settings.identifier)
        self.master_secret = self._secret(settings.master_secret)

    def _secret(self, secret: str) -> secretsmanager.ISecret:
        if secret.startswith("arn:"):
            return secretsmanager.Secret.from_secret_complete_arn(self, "MasterSecret", secret)
        return secretsmanager.Secret.from_secret_name_v2(self, "MasterSecret", secret)
