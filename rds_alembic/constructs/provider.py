"""CDK's Provider framework: it stands outside the VPC and answers CloudFormation, whatever becomes of the handler."""

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import custom_resources as cr
from constructs import Construct

from infra.settings import LogSettings
from rds_alembic.constructs.nag import BASIC_EXECUTION, acknowledge, acknowledge_invoke
from rds_alembic.constructs.python_function import PythonFunction

POLL_EVERY = Duration.seconds(5)


class Framework(cr.Provider):
    """The framework's functions for one or two handlers, with one log group for all of them."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        on_event: PythonFunction,
        is_complete: PythonFunction | None = None,
        total_timeout: Duration | None = None,
        settings: LogSettings,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            on_event_handler=on_event,
            is_complete_handler=is_complete,
            query_interval=POLL_EVERY if is_complete else None,
            total_timeout=total_timeout,
            log_group=logs.LogGroup(
                scope,
                f"{construct_id}Logs",
                retention=settings.retention,
                removal_policy=settings.removal_policy,
            ),
        )
        acknowledge(
            self, BASIC_EXECUTION, reason="what CDK gives its own functions to write their log; AWS maintains it"
        )
        for handler in filter(None, (on_event, is_complete)):
            acknowledge_invoke(self, handler)
            # The framework's functions, and so the custom resource, exist only while the handler's log group does.
            self.node.add_dependency(handler.own_log_group)
        if is_complete:
            self._acknowledge_waiter()

    def _acknowledge_waiter(self) -> None:
        """Accept the state machine that polls `is_complete`, and that it calls two functions of the framework."""
        for function in self.node.find_all():
            if isinstance(function, lambda_.Function):
                acknowledge_invoke(self, function)
        reason = "it only calls a function until that is done, and each call is logged and traced there"
        acknowledge(self, "SF1", reason=reason)
        acknowledge(self, "SF2", reason=reason)
