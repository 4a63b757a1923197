"""`Protection`: protects a stack from termination and its database from deletion, with two custom resources.

CDK's CLI sets the termination protection before it creates the stack, and a template with DeletionProtection protects
the database before its schema is migrated. If the first deployment failed, it could not be rolled back and replaced.
"""

from collections.abc import Sequence
from typing import Unpack

from aws_cdk import CustomResource, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_rds as rds
from constructs import Construct, IConstruct

from rds_alembic.assets.migrator import protection_asset
from rds_alembic.constructs.provider import Provider
from rds_alembic.constructs.python_function import FunctionOptions, PythonFunction


class Protection(Construct):
    """The protection of the database, and the removal of both protections if a first deployment is rolled back.

    Two resources remove the termination protection when they are deleted. Everything that can fail is created after
    the first one, so that it always exists. Nothing waits for the second one, so that a rollback deletes it at once:
    if the rollback then fails, because a network interface is still in use, the stack can be deleted nevertheless.

    - `database`: the instance
    - `deletion_protection`: protect the database; False removes the protection, so that the stack can be destroyed
    - all others: see `FunctionOptions`
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        database: rds.IDatabaseInstance,
        deletion_protection: bool,
        **options: Unpack[FunctionOptions],
    ) -> None:
        super().__init__(scope, construct_id)
        handler = PythonFunction(
            self,
            "Handler",
            asset=protection_asset(),
            handler="migrator.protection_handler.handler",
            description="Protects the stack and the database, and undoes that if the first deployment fails",
            service="protection",
            timeout=Duration.minutes(5),
            **options,
        )
        handler.grant_stack_actions("cloudformation:DescribeStacks", "cloudformation:UpdateTerminationProtection")
        self._provider = Provider(self, "Provider", on_event=handler)
        self._termination = self._resource("Termination", "Custom::TerminationProtection")
        self._termination_at_once = self._resource("TerminationAtOnce", "Custom::TerminationProtection")
        self._deletion = self._resource(
            "Deletion",
            "Custom::DeletionProtection",
            {
                "DBInstanceIdentifier": database.instance_identifier,
                "Protected": "true" if deletion_protection else "false",
            },
        )
        # The default policy of the role cannot name the database: it is created before the database.
        statement = iam.PolicyStatement(
            actions=["rds:DescribeDBInstances", "rds:ModifyDBInstance"], resources=[database.instance_arn]
        )
        policy = iam.Policy(self, "DatabasePolicy", statements=[statement], roles=[handler.role])
        self._deletion.node.add_dependency(policy)

    def wrap(self, constructs: Sequence[IConstruct]) -> None:
        """Protect the database after all other constructs of the stack.

        Create them after the first resource that removes the termination protection.
        """
        for construct in constructs:
            construct.node.add_dependency(self._termination)
        self._deletion.node.add_dependency(self._termination_at_once, *constructs)

    def _resource(
        self, construct_id: str, resource_type: str, properties: dict[str, str] | None = None
    ) -> CustomResource:
        return CustomResource(
            self,
            construct_id,
            resource_type=resource_type,
            service_token=self._provider.service_token,
            service_timeout=Duration.minutes(10),
            properties=properties,
        )
