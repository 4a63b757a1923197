"""The rule that all alarms of the stack share."""

from tests.infra.template import Synthesized


def test_an_alarm_goes_off_at_the_first_period_with_a_failure_and_not_without_data(dev: Synthesized) -> None:
    alarms = dev.of_type("AWS::CloudWatch::Alarm").values()
    rules = [
        (alarm["Threshold"], alarm["ComparisonOperator"], alarm["EvaluationPeriods"], alarm["TreatMissingData"])
        for alarm in alarms
    ]
    assert rules == [(1, "GreaterThanOrEqualToThreshold", 1, "notBreaching")] * 3
    assert all("DatapointsToAlarm" not in alarm for alarm in alarms)
