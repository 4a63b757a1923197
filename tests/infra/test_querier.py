import datetime as dt
import json

from querier.event import day_to_write
from tests.infra.template import Synthesized, attribute


def _queue(template: Synthesized) -> dict[str, list[str]]:
    return attribute(template.id_of("AWS::SQS::Queue"), "Arn")


def test_the_schedule_invokes_the_querier_daily_at_four_utc(dev: Synthesized) -> None:
    schedule = dev.properties("AWS::Scheduler::Schedule")
    assert (schedule["ScheduleExpression"], schedule["ScheduleExpressionTimezone"]) == ("cron(0 4 * * ? *)", "Etc/UTC")
    assert schedule["State"] == "ENABLED"
    assert schedule["Target"]["Arn"] == attribute(dev.id_of("AWS::Lambda::Function", "QuerierHandler"), "Arn")


def test_the_schedule_sends_the_scheduled_time_to_the_querier(dev: Synthesized) -> None:
    payload = json.loads(dev.properties("AWS::Scheduler::Schedule")["Target"]["Input"])
    assert payload == {"time": "<aws.scheduler.scheduled-time>"}
    scheduled = {
        name: value.replace("<aws.scheduler.scheduled-time>", "2022-03-22T18:59:43Z") for name, value in payload.items()
    }
    assert day_to_write(scheduled) == dt.date(2022, 3, 22)


def test_an_event_that_cannot_be_delivered_is_retried_and_then_queued(dev: Synthesized) -> None:
    target = dev.properties("AWS::Scheduler::Schedule")["Target"]
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 2}
    assert target["DeadLetterConfig"] == {"Arn": _queue(dev)}


def test_a_failed_run_is_retried_and_then_queued(dev: Synthesized) -> None:
    config = dev.properties("AWS::Lambda::EventInvokeConfig")
    assert config["FunctionName"] == {"Ref": dev.id_of("AWS::Lambda::Function", "QuerierHandler")}
    assert (config["MaximumRetryAttempts"], config["MaximumEventAgeInSeconds"]) == (2, 3600)
    assert config["DestinationConfig"] == {"OnFailure": {"Destination": _queue(dev)}}


def test_the_dead_letter_queue_is_encrypted_and_denies_access_without_tls(dev: Synthesized) -> None:
    assert dev.properties("AWS::SQS::Queue") == {"MessageRetentionPeriod": 14 * 24 * 3600, "SqsManagedSseEnabled": True}
    (statement,) = dev.properties("AWS::SQS::QueuePolicy")["PolicyDocument"]["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_a_failed_run_raises_an_alarm(dev: Synthesized) -> None:
    alarm = dev.properties("AWS::CloudWatch::Alarm", "QuerierFailedAlarm")
    function = {"Ref": dev.id_of("AWS::Lambda::Function", "QuerierHandler")}
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == ("AWS/Lambda", "Errors", "Sum")
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": function}]
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (1, "GreaterThanOrEqualToThreshold")


def test_a_message_in_the_dead_letter_queue_raises_an_alarm(dev: Synthesized) -> None:
    alarm = dev.properties("AWS::CloudWatch::Alarm", "QuerierDeadLettersAlarm")
    name = attribute(dev.id_of("AWS::SQS::Queue"), "QueueName")
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/SQS", "ApproximateNumberOfMessagesVisible")
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": name}]
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (1, "GreaterThanOrEqualToThreshold")


def test_the_schedule_is_created_after_the_upgrade_and_the_function_is_not(dev: Synthesized) -> None:
    upgrade = dev.id_of("Custom::AlembicUpgrade")
    assert dev.depends_on(dev.id_of("AWS::Scheduler::Schedule")) == {upgrade}
    assert upgrade not in dev.depends_on(dev.id_of("AWS::Lambda::Function", "QuerierHandler"))
