"""The time that a server may take for its first answer."""

import socket
from pathlib import Path

import psycopg2
import pytest

from rds_iam import connection
from rds_iam.settings import DatabaseSettings


def test_a_server_that_accepts_a_connection_and_does_not_answer_is_given_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT_SECONDS", 2)  # the shortest that libpq takes
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        settings = DatabaseSettings("127.0.0.1", port, "app", "migrator", tmp_path / "rds-ca.pem", "eu-central-1")
        with pytest.raises(psycopg2.OperationalError, match="timeout expired"):
            connection.open_connection(settings, password="token", application_name="test")
