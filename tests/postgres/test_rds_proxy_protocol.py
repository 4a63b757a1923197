"""The messages of the proxy before a login, which are those of a server of the same version."""

import signal
import struct
import subprocess
import time
from collections.abc import Callable
from contextlib import closing

import psycopg2
import pytest

from localaws.postgres import find_programs
from localaws.rds import RdsInstance
from tests.postgres.proxies import ProxyClient, answer, first_messages, iam_role, query, startup
from tests.postgres.servers import SETTINGS, Cluster

REQUEST_PASSWORD = b"R" + struct.pack("!II", 8, 3)
IAM_ROLE = "role_of_the_protocol"
V3 = 3 << 16
NEGOTIATED = {
    "protocol 3.0": (V3, b""),
    "protocol 3.1": (V3 + 1, b""),
    "protocol 3.2": (V3 + 2, b""),
    "protocol 3.3": (V3 + 3, b""),
    "the version reserved for tests": (V3 + 9999, b"_pq_.test_protocol_negotiation\0\0"),
    "protocol options": (V3, b"_pq_.one\x001\0_pq_.two\0\0"),
    "a newer version and an option": (V3 + 7, b"_pq_.one\x001\0"),
}
LONG_NAMES = {
    "63 bytes": ("n" * 63, "n" * 63),
    "64 bytes": ("n" * 63, "n" * 64),
    "200 bytes": ("n" * 63, "n" * 200),
    "characters of two bytes": ("ü" * 31, "ü" * 31),
    "cut behind a character of two bytes": ("ü" * 31 + "x", "ü" * 31 + "xy"),
    "cut behind a character of three bytes": ("€" * 21, "€" * 40),
}
REJECTED = {
    "protocol 2": startup(b"user\0postgres\0\0", code=2 << 16),
    "protocol 4": startup(b"user\0postgres\0\0", code=4 << 16),
    "a newer version without a user": startup(b"database\0app\0\0", code=V3 + 5),
    "an empty user": startup(b"user\0\0database\0app\0\0"),
    "two terminators": startup(b"user\0postgres\0\0\0"),
    "no body": startup(b""),
    "a replication connection": startup(b"user\0postgres\0replication\0true\0\0"),
    "an invalid value of replication": startup(b"user\0postgres\0replication\0perhaps\0\0"),
}


@pytest.fixture
def any_proxy(any_version: Cluster) -> ProxyClient:
    return ProxyClient(any_version.postgres)


@pytest.mark.parametrize(("code", "options"), NEGOTIATED.values(), ids=NEGOTIATED)
def test_the_proxy_negotiates_the_protocol_version_with_the_same_bytes_as_the_server(
    any_proxy: ProxyClient, code: int, options: bytes
) -> None:
    password_packet, token_packet = (
        startup(b"user\0" + user + b"\0database\0app\0" + options + b"\0", code=code)
        for user in (b"nobody", IAM_ROLE.encode())
    )
    with (
        iam_role(any_proxy, IAM_ROLE),
        any_proxy.server_socket() as server,
        any_proxy.tls() as one,
        any_proxy.tls() as other,
    ):
        server.sendall(password_packet)
        one.sendall(password_packet)
        other.sendall(token_packet)
        *negotiation, request_password = first_messages(server)
        assert first_messages(one) == [*negotiation, request_password]
        assert first_messages(other) == [*negotiation, REQUEST_PASSWORD]


@pytest.mark.parametrize("packet", REJECTED.values(), ids=REJECTED)
def test_a_startup_packet_that_the_server_rejects_gets_the_error_of_the_server(
    any_proxy: ProxyClient, packet: bytes
) -> None:
    with any_proxy.server_socket() as server, any_proxy.tls() as client:
        server.sendall(packet)
        client.sendall(packet)
        assert answer(client) == answer(server) != b""


@pytest.mark.parametrize("login", ["token", "password"])
def test_libpq_18_logs_in_by_protocol_3_2_and_cancels_with_its_longer_key(
    server_of_version: Callable[[int], RdsInstance], login: str
) -> None:
    proxy = ProxyClient(server_of_version(18))
    with iam_role(proxy, IAM_ROLE):
        user, password = (
            (IAM_ROLE, proxy.token(IAM_ROLE))
            if login == "token"
            else (SETTINGS.master_username, SETTINGS.master_password)
        )
        where = f"host=127.0.0.1 port={proxy.postgres.port} dbname=app user={user} application_name=libpq-{login}"
        trust = f"sslmode=verify-full sslrootcert={proxy.postgres.ca_path} sslnegotiation=direct"
        version = "min_protocol_version=3.2 max_protocol_version=3.2"
        command = [str(find_programs(18) / "psql"), "-XAt", "-c", "SELECT 42", "-c", "SELECT pg_sleep(60)"]
        with subprocess.Popen(
            [*command, f"{where} {trust} {version}"],
            env={"PGPASSWORD": password},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as psql:
            wait_until_asleep(proxy, f"libpq-{login}")
            psql.send_signal(signal.SIGINT)
            said, _ = psql.communicate(timeout=20)
    assert said.startswith("42\n")
    assert "canceling statement due to user request" in said


def wait_until_asleep(proxy: ProxyClient, application: str) -> None:
    deadline = time.monotonic() + 20
    sleeping = f"SELECT 1 FROM pg_stat_activity WHERE application_name = '{application}' AND wait_event = 'PgSleep'"
    while not proxy.postgres.admin(sleeping):
        assert time.monotonic() < deadline, "psql did not come as far as its second statement"
        time.sleep(0.05)


@pytest.mark.parametrize(("name", "longer_name"), LONG_NAMES.values(), ids=LONG_NAMES)
def test_a_name_is_cut_at_63_bytes_before_the_token_is_checked(
    any_proxy: ProxyClient, name: str, longer_name: str
) -> None:
    with iam_role(any_proxy, name):
        with closing(any_proxy.connect(longer_name, any_proxy.token(name))) as session:
            assert query(session, "SELECT session_user") == [(name,)]
        if longer_name != name:
            with pytest.raises(psycopg2.OperationalError, match="PAM authentication failed"):
                any_proxy.connect(longer_name, any_proxy.token(longer_name))


def test_a_name_cut_in_the_middle_of_a_character_does_not_match_a_role(any_proxy: ProxyClient) -> None:
    name = "ü" * 31
    with iam_role(any_proxy, name), any_proxy.tls() as client:
        client.sendall(startup(f"user\0{name}ü\0database\0app\0\0".encode()))
        assert b"SCRAM-SHA-256" in first_messages(client)[-1]
