"""The connections of the functions verify that the server's certificate is valid for the host name."""

import psycopg2
import pytest

from rds_iam.connection import connect, open_connection
from rds_iam.deadline import Deadline
from rds_iam.errors import ConnectError
from rds_iam.settings import DatabaseSettings
from tests.postgres.functions import become
from tests.postgres.servers import REGION, SETTINGS, Cluster


@pytest.fixture(autouse=True)
def address(bootstrapped: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every host name lead to the server, whose certificate is valid for 127.0.0.1 and localhost."""
    become(monkeypatch, bootstrapped, "migrator")
    monkeypatch.setenv("PGHOSTADDR", bootstrapped.postgres.host)


def settings(cluster: Cluster, host: str, user: str) -> DatabaseSettings:
    server = cluster.postgres
    return DatabaseSettings(host, server.port, SETTINGS.database, user, server.ca_path, REGION)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_host_name_of_the_certificate_is_accepted(bootstrapped: Cluster, host: str) -> None:
    master = settings(bootstrapped, host, SETTINGS.master_username)
    open_connection(master, password=SETTINGS.master_password, application_name="tests").close()


@pytest.mark.parametrize("host", ["db.example.com", "localhost.example.com", "127.0.0.2"])
def test_a_certificate_for_another_host_name_is_rejected(bootstrapped: Cluster, host: str) -> None:
    master = settings(bootstrapped, host, SETTINGS.master_username)
    with pytest.raises(psycopg2.OperationalError, match=f'does not match host name "{host}"'):
        open_connection(master, password=SETTINGS.master_password, application_name="tests")


def test_a_login_by_token_at_another_host_name_fails_at_once(bootstrapped: Cluster) -> None:
    deadline = Deadline.after(60)
    with pytest.raises(ConnectError, match=r'does not match host name "db\.example\.com"'):
        connect(settings(bootstrapped, "db.example.com", "migrator"), deadline, application_name="tests")
    assert deadline.seconds_left > 50
