"""The recurring function: on a schedule, retried, and what fails for good is kept in a queue and rings."""

from aws_cdk import Duration, RemovalPolicy, Stack, TimeZone
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_lambda_destinations import SqsDestination
from aws_cdk.aws_scheduler_targets import LambdaInvoke
from constructs import Construct

from infra.settings import FunctionSettings
from rds_alembic.assets.function_asset import Bundle
from rds_alembic.constructs.alarms import alarm_at_one
from rds_alembic.constructs.nag import acknowledge, acknowledge_invoke
from rds_alembic.constructs.postgres_function import Login, PostgresFunction
from rds_alembic.constructs.python_function import Place, Program

RETRIES = 2  # Lambda's maximum for asynchronous invocations
MAX_EVENT_AGE = Duration.hours(1)


class Querier(Construct):
    """A function that writes the row of each scheduled day into `queries`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        schedule: str,
        login: Login,
        place: Place,
        settings: FunctionSettings,
    ) -> None:
        """Take an expression of EventBridge Scheduler, in UTC."""
        super().__init__(scope, construct_id)
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
            removal_policy=RemovalPolicy.DESTROY,
        )
        acknowledge(
            self.dead_letters, "SQS3", reason="this is the dead-letter queue, of a function and of its schedule"
        )
        self.function = PostgresFunction(
            self, "Function", login=login, program=_program(login), place=place, settings=settings
        )
        self.function.configure_async_invoke(
            retry_attempts=RETRIES, max_event_age=MAX_EVENT_AGE, on_failure=SqsDestination(self.dead_letters)
        )
        self.schedule = self._schedule(schedule)
        self.failed_alarm = alarm_at_one(
            self, "FailedAlarm", self.function.metric_errors(), description="The querier failed"
        )
        self.dead_letters_alarm = alarm_at_one(
            self,
            "DeadLettersAlarm",
            self.dead_letters.metric_approximate_number_of_messages_visible(),
            description="The querier was given up on: the queue has the event, and the error if it ran",
        )

    def _schedule(self, expression: str) -> scheduler.Schedule:
        """Call the function at its times. What the scheduler cannot deliver goes where the function's failures go."""
        role = iam.Role(self, "SchedulerRole", assumed_by=self._scheduler_of_this_account())
        acknowledge_invoke(role, self.function)
        return scheduler.Schedule(
            self,
            "Schedule",
            description="Calls the querier",
            schedule=scheduler.ScheduleExpression.expression(expression, TimeZone.ETC_UTC),
            target=LambdaInvoke(
                self.function,
                # A retry after midnight still belongs to this day. The handler reads `time`.
                input=scheduler.ScheduleTargetInput.from_object({"time": scheduler.ContextAttribute.scheduled_time}),
                retry_attempts=RETRIES,
                max_event_age=MAX_EVENT_AGE,
                dead_letter_queue=self.dead_letters,
                role=role,
            ),
        )

    def _scheduler_of_this_account(self) -> iam.ServicePrincipal:
        account = Stack.of(self).account
        return iam.ServicePrincipal(
            "scheduler.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": account}}
        )


def _program(login: Login) -> Program:
    return Program(
        description="Writes the row of a day into queries, as the querier",
        handler="querier.handler.handler",
        bundle=Bundle(
            name="querier", packages=("querier", "rds_iam"), requirements="function.txt", files=login.files()
        ),
        environment=login.environment("querier"),
        timeout=Duration.minutes(1),
    )
