"""`Provider`: CDK's Provider framework for custom resources, with a log group."""

from aws_cdk import Duration
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import custom_resources as cr
from constructs import Construct

from rds_alembic.constructs.nag import BASIC_EXECUTION, acknowledge, acknowledge_invoke
from rds_alembic.constructs.python_function import PythonFunction

QUERY_INTERVAL = Duration.seconds(5)


class Provider(Construct):
    """The functions of the framework. They are outside the VPC and always answer CloudFormation.

    Their log group has the retention, the removal policy and the key of `on_event`.

    - `on_event`: the handler of Create, Update and Delete
    - `is_complete`: the handler that is invoked until the operation is complete; default: complete after `on_event`
    - `total_timeout`: the time for all invocations of `is_complete`; default: 30 minutes
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        on_event: PythonFunction,
        is_complete: PythonFunction | None = None,
        total_timeout: Duration | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        key = on_event.encryption_key
        self.provider = cr.Provider(
            self,
            "Provider",
            on_event_handler=on_event.function,
            is_complete_handler=is_complete.function if is_complete else None,
            query_interval=QUERY_INTERVAL if is_complete else None,
            total_timeout=total_timeout,
            log_group=logs.LogGroup(
                self,
                "LogGroup",
                encryption_key=key,
                retention=on_event.log_retention,
                removal_policy=on_event.log_removal_policy,
            ),
            provider_function_env_encryption=key,
        )
        if key:
            self._allow_decryption(key)
        acknowledge(self, BASIC_EXECUTION, reason="CDK gives its functions this policy, which AWS maintains, for logs.")
        for handler in filter(None, (on_event, is_complete)):
            acknowledge_invoke(self, handler.function)
            # CloudFormation deletes the framework's functions, and so the custom resource, before the log group.
            self.provider.node.add_dependency(handler.log_group)
        if is_complete:
            self._acknowledge_state_machine()

    @property
    def service_token(self) -> str:
        """The service token of a custom resource."""
        return self.provider.service_token

    def _allow_decryption(self, key: kms.IKey) -> None:
        """Allow the functions of the framework to decrypt their environment variables."""
        for function in self.provider.node.find_all():
            if isinstance(function, lambda_.Function):
                key.grant_decrypt(function)

    def _acknowledge_state_machine(self) -> None:
        """Acknowledge that the state machine that invokes `is_complete` has no logs and traces."""
        for function in self.provider.node.find_all():
            if isinstance(function, lambda_.Function):
                acknowledge_invoke(self, function)
        reason = (
            "The state machine only invokes a function until it is complete. The function logs and traces each call."
        )
        acknowledge(self, "SF1", reason=reason)
        acknowledge(self, "SF2", reason=reason)
