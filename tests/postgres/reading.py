"""The reading function of operators, called as Lambda calls it."""

from collections.abc import Callable
from typing import Any

import pytest

from migrator import read_handler
from tests.postgres.functions import become
from tests.postgres.lambda_context import Context
from tests.postgres.projects import Project
from tests.postgres.servers import Cluster

type Read = Callable[..., Any]


def reading_function(cluster: Cluster, project: Project, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Return a function that invokes the reading function, whose zip has the project as it is then."""
    become(monkeypatch, cluster, "reader")
    monkeypatch.setenv("LAMBDA_TASK_ROOT", str(project.folder.parent))

    def read(command: str, **arguments: object) -> Any:
        project.write_manifest()
        return read_handler.handler({"command": command, "arguments": arguments}, Context())

    return read
