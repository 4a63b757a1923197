"""Alarms on what must not happen even once."""

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct


def alarm_at_one(
    scope: Construct, construct_id: str, metric: cloudwatch.IMetric, *, description: str
) -> cloudwatch.Alarm:
    """Ring when the metric reaches one within its period; no data is good news. Whom it tells, the caller adds."""
    return cloudwatch.Alarm(
        scope,
        construct_id,
        alarm_description=description,
        metric=metric,
        threshold=1,
        evaluation_periods=1,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )
