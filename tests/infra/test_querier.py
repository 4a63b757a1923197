import datetime as dt
import json

from querier.event import day_to_write
from tests.infra.template import Synthesized, attribute


def _queue(template: Synthesized) -> dict[str, list[str]]:
    return attribute(template.id_of("AWS::SQS::Queue"), "Arn")


def test_the_schedule_calls_the_querier_daily_at_four_utc(dev: Synthesized) -> None:
    schedule = dev.only("AWS::Scheduler::Schedule")
    assert (schedule["ScheduleExpression"], schedule["ScheduleExpressionTimezone"]) == ("cron(0 4 * * ? *)", "Etc/UTC")
    assert schedule["State"] == "ENABLED"
    assert schedule["Target"]["Arn"] == attribute(dev.id_of("AWS::Lambda::Function", "QuerierFunction"), "Arn")


def test_the_schedule_tells_the_querier_the_time_it_was_due_at(dev: Synthesized) -> None:
    payload = json.loads(dev.only("AWS::Scheduler::Schedule")["Target"]["Input"])
    assert payload == {"time": "<aws.scheduler.scheduled-time>"}
    scheduled = {
        name: value.replace("<aws.scheduler.scheduled-time>", "2022-03-22T18:59:43Z") for name, value in payload.items()
    }
    assert day_to_write(scheduled) == dt.date(2022, 3, 22)


def test_what_the_scheduler_cannot_deliver_is_retried_and_then_kept(dev: Synthesized) -> None:
    target = dev.only("AWS::Scheduler::Schedule")["Target"]
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 2}
    assert target["DeadLetterConfig"] == {"Arn": _queue(dev)}


def test_a_run_that_fails_is_retried_and_then_kept(dev: Synthesized) -> None:
    config = dev.only("AWS::Lambda::EventInvokeConfig")
    assert config["FunctionName"] == {"Ref": dev.id_of("AWS::Lambda::Function", "QuerierFunction")}
    assert (config["MaximumRetryAttempts"], config["MaximumEventAgeInSeconds"]) == (2, 3600)
    assert config["DestinationConfig"] == {"OnFailure": {"Destination": _queue(dev)}}


def test_the_dead_letter_queue_is_encrypted_and_refuses_clear_text(dev: Synthesized) -> None:
    assert dev.only("AWS::SQS::Queue") == {"MessageRetentionPeriod": 14 * 24 * 3600, "SqsManagedSseEnabled": True}
    (statement,) = dev.only("AWS::SQS::QueuePolicy")["PolicyDocument"]["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_a_failed_run_rings(dev: Synthesized) -> None:
    alarm = dev.only("AWS::CloudWatch::Alarm", "QuerierFailedAlarm")
    function = {"Ref": dev.id_of("AWS::Lambda::Function", "QuerierFunction")}
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == ("AWS/Lambda", "Errors", "Sum")
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": function}]
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (1, "GreaterThanOrEqualToThreshold")


def test_a_message_in_the_dead_letter_queue_rings(dev: Synthesized) -> None:
    alarm = dev.only("AWS::CloudWatch::Alarm", "QuerierDeadLettersAlarm")
    name = attribute(dev.id_of("AWS::SQS::Queue"), "QueueName")
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/SQS", "ApproximateNumberOfMessagesVisible")
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": name}]
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (1, "GreaterThanOrEqualToThreshold")


def test_the_schedule_waits_for_the_migration_and_the_function_does_not(dev: Synthesized) -> None:
    upgrade = dev.id_of("Custom::AlembicUpgrade")
    assert dev.depends_on(dev.id_of("AWS::Scheduler::Schedule")) == {upgrade}
    assert upgrade not in dev.depends_on(dev.id_of("AWS::Lambda::Function", "QuerierFunction"))
