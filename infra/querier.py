"""The querier: a function on a schedule, with retries, a dead-letter queue and alarms."""

from pathlib import Path
from typing import Unpack

from aws_cdk import Duration, RemovalPolicy, Stack, TimeZone
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_lambda_destinations import SqsDestination
from aws_cdk.aws_scheduler_targets import LambdaInvoke
from constructs import Construct

from infra.nag import acknowledge
from infra.settings import PROJECT
from rds_alembic import FunctionAsset, FunctionOptions, PostgresDatabase, PostgresFunction

RETRIES = 2  # Lambda's maximum for asynchronous invocations
MAX_EVENT_AGE = Duration.hours(1)


class Querier(Construct):
    """A function that writes the row of each scheduled day into `queries`.

    - `schedule`: an expression of EventBridge Scheduler, in UTC
    - `vpc`, `vpc_subnets`: the VPC and the subnets of the function
    - `database`, `database_name`, `db_user`, `rds_ca`: see `PostgresFunction`
    - `architecture`, `log_retention`, `log_removal_policy`: see `FunctionOptions`
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        schedule: str,
        vpc: ec2.IVpc,
        vpc_subnets: ec2.SubnetSelection,
        database: PostgresDatabase,
        database_name: str,
        db_user: str,
        rds_ca: Path,
        **options: Unpack[FunctionOptions],
    ) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
            removal_policy=RemovalPolicy.DESTROY,
        )
        acknowledge(self.dead_letters, "SQS3", reason="This queue is the dead-letter queue of a function.")
        self.handler = PostgresFunction(
            self,
            "Handler",
            vpc=vpc,
            vpc_subnets=vpc_subnets,
            database=database,
            database_name=database_name,
            db_user=db_user,
            rds_ca=rds_ca,
            asset=FunctionAsset(name="querier", files={"querier": PROJECT / "querier"}),
            handler="querier.handler.handler",
            description="Writes the row of a day into queries, as the querier",
            service="querier",
            timeout=Duration.minutes(1),
            **options,
        )
        self.handler.function.configure_async_invoke(
            retry_attempts=RETRIES, max_event_age=MAX_EVENT_AGE, on_failure=SqsDestination(self.dead_letters)
        )
        self.schedule = self._schedule(schedule)
        self.failed_alarm = self._alarm(
            "FailedAlarm", self.handler.function.metric_errors(), description="The querier failed"
        )
        self.dead_letters_alarm = self._alarm(
            "DeadLettersAlarm",
            self.dead_letters.metric_approximate_number_of_messages_visible(),
            description="An event of the querier failed for good: the queue has the event, and the error if it ran",
        )

    def _schedule(self, expression: str) -> scheduler.Schedule:
        """Invoke the function on a schedule. An event that cannot be delivered goes to the dead-letter queue."""
        role = iam.Role(self, "SchedulerRole", assumed_by=self._scheduler_of_this_account())
        self.handler.grant_invoke(role)
        return scheduler.Schedule(
            self,
            "Schedule",
            description="Calls the querier",
            schedule=scheduler.ScheduleExpression.expression(expression, TimeZone.ETC_UTC),
            target=LambdaInvoke(
                self.handler.function,
                # A retry after midnight belongs to the scheduled day. The handler reads `time`.
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

    def _alarm(self, construct_id: str, metric: cloudwatch.Metric, *, description: str) -> cloudwatch.Alarm:
        """Alarm when the metric is 1 or more in a period. Missing data is not breaching."""
        return metric.create_alarm(
            self,
            construct_id,
            alarm_description=description,
            threshold=1,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
