"""The alarms, the topic that they notify, and the dashboard."""

import json
from pathlib import Path

from aws_cdk import App, Environment
from aws_cdk.assertions import Annotations, Match, Template

from infra.context import parse
from infra.settings import PROJECT
from infra.stack import PrivateDatabaseStack
from tests.infra.template import Synthesized

ALARMS = {
    "UpgradeFailedAlarm": (1, "GreaterThanOrEqualToThreshold"),
    "QuerierFailedAlarm": (1, "GreaterThanOrEqualToThreshold"),
    "QuerierDeadLettersAlarm": (1, "GreaterThanOrEqualToThreshold"),
    "MonitoringStorageAlarm": (2 * 1024**3, "LessThanThreshold"),
}


def test_an_alarm_goes_off_in_the_first_period_and_not_without_data(dev: Synthesized) -> None:
    assert len(dev.of_type("AWS::CloudWatch::Alarm")) == len(ALARMS)
    for prefix, (threshold, operator) in ALARMS.items():
        alarm = dev.properties("AWS::CloudWatch::Alarm", prefix)
        assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (threshold, operator)
        assert (alarm["EvaluationPeriods"], alarm["TreatMissingData"]) == (1, "notBreaching")
        assert "DatapointsToAlarm" not in alarm


def test_each_alarm_notifies_the_topic(dev: Synthesized) -> None:
    topic = {"Ref": dev.id_of("AWS::SNS::Topic")}
    assert [alarm["AlarmActions"] for alarm in dev.of_type("AWS::CloudWatch::Alarm").values()] == [[topic]] * len(
        ALARMS
    )


def test_the_topic_rejects_messages_without_tls(dev: Synthesized) -> None:
    (statement,) = dev.properties("AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_the_subscribers_of_the_setting_are_subscribed_and_without_them_synth_warns(
    dev: Synthesized, dev_stack: PrivateDatabaseStack, tmp_path: Path
) -> None:
    (warning,) = Annotations.from_stack(dev_stack).find_warning("*", Match.any_value())
    assert "set alarm-subscribers to email addresses" in str(warning.entry.data)
    assert not dev.of_type("AWS::SNS::Subscription")

    flags = json.loads((PROJECT / "cdk.json").read_text())["context"]
    settings = parse({"alarm-subscribers": "ops@example.com, https://example.com/alarms"})
    app = App(context=flags, outdir=str(tmp_path), analytics_reporting=False)
    stack = PrivateDatabaseStack(app, "Subscribed", settings=settings, env=Environment(region=settings.region))
    subscriptions = Synthesized(Template.from_stack(stack).to_json()).of_type("AWS::SNS::Subscription").values()
    assert sorted((subscription["Protocol"], subscription["Endpoint"]) for subscription in subscriptions) == [
        ("email", "ops@example.com"),
        ("https", "https://example.com/alarms"),
    ]
    assert not Annotations.from_stack(stack).find_warning("*", Match.any_value())


def test_the_dashboard_shows_migrations_querier_refused_logins_and_the_load_of_the_database(dev: Synthesized) -> None:
    parts = dev.properties("AWS::CloudWatch::Dashboard")["DashboardBody"]["Fn::Join"][1]
    widgets = json.loads("".join(part if isinstance(part, str) else "reference" for part in parts))["widgets"]
    metrics = {entry[1] for widget in widgets for entry in widget["properties"].get("metrics", [])}
    assert metrics == {
        *("RevisionsApplied", "AheadOfCode", "UpgradeSeconds", "UpgradeRetries", "Errors", "Invocations"),
        *("ApproximateNumberOfMessagesVisible", "RefusedLogins", "DatabaseConnections", "CPUUtilization"),
        "FreeStorageSpace",
    }
    (alarms,) = [widget for widget in widgets if widget["type"] == "alarm"]
    assert len(alarms["properties"]["alarms"]) == len(ALARMS)


def test_refused_logins_are_counted_in_the_server_log_after_its_log_group_was_created(dev: Synthesized) -> None:
    name = dev.id_of("AWS::Logs::MetricFilter")
    properties = dev.resources[name]["Properties"]
    assert '"authentication failed"' in properties["FilterPattern"]
    (transformation,) = properties["MetricTransformations"]
    assert (transformation["MetricName"], transformation["MetricValue"]) == ("RefusedLogins", "1")
    assert dev.id_of("Custom::DatabaseLogs") in dev.dependencies(name)
