"""Monitoring: the topic that the alarms notify, and the dashboard of the deployment."""

from collections.abc import Sequence

from aws_cdk import Annotations, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_sns as sns
from aws_cdk.aws_cloudwatch_actions import SnsAction
from aws_cdk.aws_sns_subscriptions import EmailSubscription, UrlSubscription
from constructs import Construct, IDependable

from infra.nag import acknowledge
from infra.querier import Querier
from rds_alembic import AlembicUpgrade

# PostgreSQL writes these texts for a wrong password or token, a role with NOLOGIN, and a connection without TLS.
REFUSED_LOGIN = logs.FilterPattern.any_term(
    "authentication failed", "is not permitted to log in", "no pg_hba.conf entry"
)
FREE_STORAGE_BYTES = 2 * 1024**3
WIDTH = 8  # of 24 columns


class Monitoring(Construct):
    """The alarms' topic with its subscribers, an alarm of the database's storage, and the dashboard.

    - `subscribers`: email addresses and https addresses that receive the alarms
    - `database`: the instance
    - `database_logs`: the resource that creates the log group of the exported log `postgresql`; None if no log is
      exported, so that refused logins are not counted
    - `upgrade`, `querier`: the constructs whose alarms and metrics are shown; the querier is optional
    - `metrics_namespace`: the namespace of the functions' metrics, and of the count of refused logins
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        subscribers: Sequence[str],
        database: rds.IDatabaseInstance,
        database_logs: IDependable | None,
        upgrade: AlembicUpgrade,
        querier: Querier | None,
        metrics_namespace: str,
    ) -> None:
        super().__init__(scope, construct_id)
        self._database, self._namespace = database, metrics_namespace
        self.topic = self._topic(subscribers)
        self.storage_alarm = database.metric_free_storage_space(statistic="Minimum").create_alarm(
            self,
            "StorageAlarm",
            alarm_description="The database has less than 2 GiB of free storage: it stops when the storage is full",
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            threshold=FREE_STORAGE_BYTES,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarms = [upgrade.failed_alarm, self.storage_alarm]
        if querier:
            alarms += [querier.failed_alarm, querier.dead_letters_alarm]
        for alarm in alarms:
            alarm.add_alarm_action(SnsAction(self.topic))
        refused_logins = [self._refused_logins(database_logs)] if database_logs else []
        self.dashboard = cloudwatch.Dashboard(self, "Dashboard", default_interval=Duration.days(7))
        self.dashboard.add_widgets(cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms), width=24))
        self.dashboard.add_widgets(*_migrations(upgrade, metrics_namespace))
        graphs = [_graph("Refused logins", *refused_logins)] if refused_logins else []
        self.dashboard.add_widgets(*(_querier(querier) if querier else ()), *graphs)
        self.dashboard.add_widgets(*_load(database))

    def _topic(self, subscribers: Sequence[str]) -> sns.Topic:
        topic = sns.Topic(self, "Alarms", enforce_ssl=True)
        acknowledge(
            topic,
            "SNS2",
            reason="The messages contain names and thresholds of alarms only. "
            "CloudWatch cannot use the key that AWS manages for SNS.",
        )
        for subscriber in subscribers:
            is_url = subscriber.startswith("https://")
            topic.add_subscription(UrlSubscription(subscriber) if is_url else EmailSubscription(subscriber))
        if not subscribers:
            Annotations.of(self).add_warning_v2(
                "PrivateDatabase:alarmsNotifyNobody",
                "The alarms of this stack notify nobody: set alarm-subscribers to email addresses, separated by commas",
            )
        return topic

    def _refused_logins(self, database_logs: IDependable) -> cloudwatch.Metric:
        """Count the refused logins in the exported log of the server."""
        name = f"/aws/rds/instance/{self._database.instance_identifier}/postgresql"
        metric_filter = logs.MetricFilter(
            self,
            "RefusedLogins",
            log_group=logs.LogGroup.from_log_group_name(self, "PostgresqlLog", name),
            filter_pattern=REFUSED_LOGIN,
            metric_namespace=self._namespace,
            metric_name="RefusedLogins",
            metric_value="1",
        )
        metric_filter.node.add_dependency(database_logs)
        return metric_filter.metric(statistic="Sum")


def _migrations(upgrade: AlembicUpgrade, namespace: str) -> list[cloudwatch.IWidget]:
    def metric(name: str, statistic: str) -> cloudwatch.Metric:
        dimensions = {"service": "migrator"}
        return cloudwatch.Metric(namespace=namespace, metric_name=name, statistic=statistic, dimensions_map=dimensions)

    return [
        _graph("Revisions applied", metric("RevisionsApplied", "Sum"), metric("AheadOfCode", "Maximum")),
        _graph("Upgrade: seconds and retries", metric("UpgradeSeconds", "Maximum"), metric("UpgradeRetries", "Sum")),
        _graph("Failed upgrades", upgrade.migrator.function.metric_errors()),
    ]


def _querier(querier: Querier) -> list[cloudwatch.IWidget]:
    function = querier.handler.function
    dead_letters = querier.dead_letters.metric_approximate_number_of_messages_visible()
    return [
        _graph("Querier: runs and failures", function.metric_invocations(), function.metric_errors(), dead_letters),
    ]


def _load(database: rds.IDatabaseInstance) -> list[cloudwatch.IWidget]:
    return [
        _graph("Connections", database.metric_database_connections(statistic="Maximum")),
        _graph("CPU in percent", database.metric_cpu_utilization(statistic="Maximum")),
        _graph("Free storage in bytes", database.metric_free_storage_space(statistic="Minimum")),
    ]


def _graph(title: str, *metrics: cloudwatch.IMetric) -> cloudwatch.IWidget:
    return cloudwatch.GraphWidget(
        title=title, left=list(metrics), width=WIDTH, left_y_axis=cloudwatch.YAxisProps(min=0)
    )
