"""The protection of a stack against termination and of its database against deletion, by two custom resources.

CDK's CLI sets the termination protection before it creates the stack, and a template with DeletionProtection protects
the database before its schema is migrated. A first deployment that fails could then not be rolled back and replaced.
"""

from collections.abc import Sequence

from aws_cdk import CustomResource, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_rds as rds
from constructs import Construct

from infra.settings import FunctionSettings
from rds_alembic.assets.function_asset import Bundle
from rds_alembic.constructs.function_environment import FunctionEnvironment
from rds_alembic.constructs.provider import Framework
from rds_alembic.constructs.python_function import Program, PythonFunction

TIMEOUT = Duration.minutes(5)
SERVICE_TIMEOUT = Duration.minutes(10)


class Protection(Construct):
    """The function that lifts the protections when a first deployment is rolled back.

    Two resources lift the termination protection when they are deleted. Everything that can fail is created after the
    first one, so that it always exists. Nothing waits for the second one, so that a rollback deletes it at once: if
    the rollback then fails, because a network interface is still in use, the stack can be deleted nevertheless.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: FunctionSettings) -> None:
        super().__init__(scope, construct_id)
        self._function = PythonFunction(self, "Function", program=_program(), settings=settings)
        self._function.add_to_role_policy(
            iam.PolicyStatement(
                actions=["cloudformation:DescribeStacks", "cloudformation:UpdateTerminationProtection"],
                resources=[Stack.of(self).stack_id],
            )
        )
        self._framework = Framework(self, "Framework", on_event=self._function, settings=settings.logs)
        self._termination = self._resource("Termination", "Custom::TerminationProtection")
        self._termination_at_once = self._resource("TerminationAtOnce", "Custom::TerminationProtection")

    def protect(self, instance: rds.IDatabaseInstance, *, protected: bool) -> CustomResource:
        """Return the resource that protects the instance; it must be created after everything else.

        With `protected=False` the resource lifts the protection, so that the stack can be destroyed.
        """
        # A policy of its own: the function exists before the database, and its role's default policy before both.
        policy = iam.Policy(
            self,
            "DatabasePolicy",
            statements=[
                iam.PolicyStatement(
                    actions=["rds:DescribeDBInstances", "rds:ModifyDBInstance"], resources=[instance.instance_arn]
                )
            ],
        )
        policy.attach_to_role(self._role)
        resource = self._resource(
            "Deletion",
            "Custom::DeletionProtection",
            {"DBInstanceIdentifier": instance.instance_identifier, "Protected": str(protected).lower()},
        )
        resource.node.add_dependency(policy)
        return resource

    def wrap(self, parts: Sequence[Construct], last: CustomResource) -> None:
        """Create these parts of the stack after the termination can be lifted, and `last` after all of them."""
        for part in parts:
            part.node.add_dependency(self._termination)
        last.node.add_dependency(self._termination_at_once, *parts)

    @property
    def _role(self) -> iam.IRole:
        role = self._function.role
        if role is None:
            raise TypeError(f"{self._function.node.path} has no role")
        return role

    def _resource(self, construct_id: str, kind: str, properties: dict[str, str] | None = None) -> CustomResource:
        return CustomResource(
            self,
            construct_id,
            resource_type=kind,
            service_token=self._framework.service_token,
            service_timeout=SERVICE_TIMEOUT,
            properties=properties,
        )


def _program() -> Program:
    return Program(
        description="Protects the stack and the database, and lifts that if the first deployment fails",
        handler="migrator.protection_handler.handler",
        bundle=Bundle(name="protection", packages=("migrator", "rds_iam"), requirements="function.txt"),
        environment=FunctionEnvironment(powertools_service_name="protection"),
        timeout=TIMEOUT,
    )
