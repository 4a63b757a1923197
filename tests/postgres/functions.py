"""The environment of a function, and the metrics that it writes."""

import json
from typing import Any

import pytest

from tests.postgres.servers import Cluster


def become(monkeypatch: pytest.MonkeyPatch, cluster: Cluster, user: str) -> None:
    """Set the environment of a function that logs in as this user."""
    for name, value in cluster.environ(user).items():
        monkeypatch.setenv(name, value)


def metrics_in(output: str) -> dict[str, float]:
    """Return the metrics written in CloudWatch's embedded format."""
    metrics: dict[str, float] = {}
    for line in filter(lambda line: '"_aws"' in line, output.splitlines()):
        document: dict[str, Any] = json.loads(line)
        (directive,) = document["_aws"]["CloudWatchMetrics"]
        assert (directive["Namespace"], directive["Dimensions"]) == ("PrivateDatabase", [["service"]])
        metrics |= {metric["Name"]: document[metric["Name"]][0] for metric in directive["Metrics"]}
    return metrics
