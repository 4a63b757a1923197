"""`DatabaseOperations`: the functions behind the command rds-alembic, and the permissions to use them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Unpack

from aws_cdk import ArnFormat, CfnOutput, Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from rds_alembic import outputs
from rds_alembic.constructs.alembic_upgrade import MEMORY_MIB, AlembicUpgrade
from rds_alembic.constructs.database_roles import DatabaseRoles
from rds_alembic.constructs.nag import acknowledge_invoke, acknowledge_wildcard
from rds_alembic.constructs.postgres_function import PostgresFunction
from rds_alembic.constructs.python_function import FunctionOptions
from rds_alembic.errors import RdsAlembicError

type _Permissions = Mapping[tuple[str, ...], Sequence[str]]


class DatabaseOperations(Construct):
    """Commands for a database that only functions in its VPC can reach: `rds-alembic status --stack STACK`.

    Two functions: one logs in as a role that cannot write, the other as the migrator. The permission to invoke a
    function is the authorisation.

    - `upgrade`: the upgrade of the database, whose zip the functions use
    - `roles`: the role setup of the database, with a `reader`
    - `allow_downgrade`: whether `rds-alembic downgrade` is allowed; default: False
    - `vpc`, `vpc_subnets`, `rds_ca`: see `PostgresFunction`; the changing function needs a route to STS and Lambda
    - all others: see `FunctionOptions`

    Raises RdsAlembicError for roles without a reader.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        upgrade: AlembicUpgrade,
        roles: DatabaseRoles,
        allow_downgrade: bool = False,
        vpc: ec2.IVpc,
        vpc_subnets: ec2.SubnetSelection | None = None,
        rds_ca: Path | str | None = None,
        **options: Unpack[FunctionOptions],
    ) -> None:
        super().__init__(scope, construct_id)
        if not roles.reader:
            raise RdsAlembicError(f"reader must be the name of a role (got None): set it in {roles.node.path}")
        function_options: FunctionOptions = {"memory_size": MEMORY_MIB, **options}
        self.read_function = PostgresFunction(
            self,
            "Read",
            vpc=vpc,
            vpc_subnets=vpc_subnets,
            database=upgrade.migrator.database,
            database_name=upgrade.migrator.database_name,
            db_user=roles.reader,
            rds_ca=rds_ca,
            # One zip for all functions that run env.py: a function reads only what it imports.
            asset=upgrade.migrator.asset,
            handler="migrator.read_handler.handler",
            description="Runs the reading commands of rds-alembic",
            service="read",
            timeout=Duration.minutes(2),
            **function_options,
        )
        # In a deployment, the commands read the revisions of the new code while these are applied.
        upgrade.resource.node.add_dependency(self.read_function.function)
        self.change_function = PostgresFunction(
            self,
            "Change",
            vpc=vpc,
            vpc_subnets=vpc_subnets,
            needs_route=True,
            database=upgrade.migrator.database,
            database_name=upgrade.migrator.database_name,
            db_user=upgrade.db_user,
            rds_ca=rds_ca,
            asset=upgrade.migrator.asset,
            handler="migrator.change_handler.handler",
            description="Runs the changing commands of rds-alembic",
            service="change",
            timeout=Duration.minutes(15),
            variables={
                "LOCK_TIMEOUT_SECONDS": upgrade.lock_timeout,
                "MIGRATIONS_DIGEST": upgrade.migrations_digest,
                "STACK_ID": Stack.of(self).stack_id,
                "ALLOW_DOWNGRADE": "true" if allow_downgrade else "false",
                "ROLES_FUNCTION": roles.handler.function.function_name,
                "ROLES_PROPERTIES": Stack.of(self).to_json_string(roles.properties),
            },
            **function_options,
        )
        # The caller is verified by STS, and the role setup is invoked through Lambda.
        self.change_function.function.connections.allow_to_any_ipv4(
            ec2.Port.HTTPS, "STS and Lambda, through the NAT gateway"
        )
        roles.handler.function.grant_invoke(self.change_function.function)
        acknowledge_invoke(self.change_function, roles.handler.function)
        self.log_groups = {
            "migrator": upgrade.migrator.log_group,
            "roles": roles.handler.log_group,
            "read": self.read_function.log_group,
            "change": self.change_function.log_group,
        }
        self.read_policy = self._managed_policy("ReadPolicy", self._read_permissions(), "The reading commands")
        self._output("ReadFunction", self.read_function.function.function_name, outputs.READ_FUNCTION)
        self.change_policy = self._managed_policy("ChangePolicy", self._change_permissions(), "All commands")
        self._output("ChangeFunction", self.change_function.function.function_name, outputs.CHANGE_FUNCTION)
        self._output("ChangePolicyArn", self.change_policy.managed_policy_arn, outputs.CHANGE_POLICY)
        self._output("ReadPolicyArn", self.read_policy.managed_policy_arn, outputs.READ_POLICY)
        self._output(
            "LogGroups",
            ",".join(f"{name}={group.log_group_name}" for name, group in self.log_groups.items()),
            outputs.LOG_GROUPS,
        )

    def grant_read(self, grantee: iam.IGrantable) -> iam.Grant:
        """Permit the reading commands."""
        return _grant(grantee, self._read_permissions())

    def grant_change(self, grantee: iam.IGrantable) -> iam.Grant:
        """Permit all commands: those that change the database or the stack, and those that read."""
        return _grant(grantee, self._change_permissions())

    def _change_permissions(self) -> _Permissions:
        return {
            **self._read_permissions(),
            ("lambda:InvokeFunction",): [
                self.read_function.function.function_arn,
                self.change_function.function.function_arn,
            ],
            (
                "cloudformation:ContinueUpdateRollback",
                "cloudformation:DescribeStackEvents",
                "cloudformation:DescribeStacks",
            ): [self._stack_arn],
        }

    def _read_permissions(self) -> _Permissions:
        return {
            ("lambda:InvokeFunction",): [self.read_function.function.function_arn],
            ("cloudformation:DescribeStacks",): [self._stack_arn],
            # IAM compares some actions with the ARN of the group, and others with the ARN that ends in `:*`.
            ("logs:FilterLogEvents",): [arn for group in self._log_group_arns for arn in (group, f"{group}:*")],
        }

    @property
    def _stack_arn(self) -> str:
        stack = Stack.of(self)
        return stack.format_arn(service="cloudformation", resource="stack", resource_name=f"{stack.stack_name}/*")

    @property
    def _log_group_arns(self) -> list[str]:
        return [
            Stack.of(self).format_arn(
                service="logs",
                resource="log-group",
                resource_name=group.log_group_name,
                arn_format=ArnFormat.COLON_RESOURCE_NAME,
            )
            for group in self.log_groups.values()
        ]

    def _managed_policy(self, construct_id: str, permissions: _Permissions, description: str) -> iam.ManagedPolicy:
        statements = [
            iam.PolicyStatement(actions=list(actions), resources=list(resources))
            for actions, resources in permissions.items()
        ]
        policy = iam.ManagedPolicy(self, construct_id, description=description, statements=statements)
        acknowledge_wildcard(policy, self._stack_arn, reason="The wildcard is for the id of this one stack.")
        for arn in self._log_group_arns:
            acknowledge_wildcard(policy, f"{arn}:*", reason="The wildcard is for the streams of this one log group.")
        return policy

    def _output(self, construct_id: str, value: str, description: str) -> None:
        CfnOutput(self, construct_id, value=value, description=description)


def _grant(grantee: iam.IGrantable, permissions: _Permissions) -> iam.Grant:
    grants = [
        iam.Grant.add_to_principal(grantee=grantee, actions=list(actions), resource_arns=list(resources))
        for actions, resources in permissions.items()
    ]
    combined = grants[0]
    for grant in grants[1:]:
        combined = combined.combine(grant)
    return combined
