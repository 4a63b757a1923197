"""What is around a front door: nobody gets past it, and nothing is left when its starter is gone."""

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg2
import pytest

from localaws.authority import StaticAuthority
from localaws.certificates import Certificates
from localaws.errors import LocalAwsError
from localaws.postgres import Kind, RunningPostgres, choice, container, start
from tests.postgres.doors import PASSWORD, Door
from tests.postgres.servers import SETTINGS

STARTER = """
import json, sys, time
from pathlib import Path
from localaws.certificates import Certificates
from localaws.postgres import start
from tests.postgres.servers import SETTINGS, authority

server = start(SETTINGS, authority=authority(), certificates=Certificates(Path(sys.argv[1])), kind=sys.argv[2])
ports = [server.port, server._server.entrance.password_port]
print(json.dumps({"ports": ports, "folder": str(server._log.parent)}), flush=True)
time.sleep(600)
"""


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT], ids=str)
def test_everything_ends_with_the_process_that_started_it(
    postgres: RunningPostgres, tmp_path: Path, end: signal.Signals
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, tmp_path, postgres.kind], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as starter:
        assert starter.stdout
        left = json.loads(starter.stdout.readline())
        assert all(listens(port) for port in left["ports"])
        starter.send_signal(end)
        starter.wait(20)
    deadline = time.monotonic() + 20
    while Path(left["folder"]).exists() or any(listens(port) for port in left["ports"]):
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.05)


def test_the_server_behind_lets_nobody_in_past_the_front_door(door: Door, password_role: str, iam_role: str) -> None:
    behind = door.postgres._server.entrance.password_port
    for user, password in [(iam_role, PASSWORD), (iam_role, door.token(iam_role)), ("rdsadmin", "")]:
        for mode in ("disable", "require"):
            with pytest.raises(psycopg2.OperationalError):
                door.connect(user, password, port=behind, sslmode=mode)


def test_the_server_listens_on_the_loopback_address_only(door: Door) -> None:
    sockets = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    for port in (door.postgres.port, door.postgres._server.entrance.password_port):
        listening = [line.split()[1] for line in sockets.splitlines() if f":{port:04X} " in line.split(" 0A ")[0]]
        assert f"0100007F:{port:04X}" in listening
        assert all(address.startswith("0100007F") for address in listening if address.endswith(f":{port:04X}"))


def test_a_kind_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALAWS_POSTGRES", "vm")
    with pytest.raises(LocalAwsError, match="LOCALAWS_POSTGRES is 'vm', it should be one of container, embedded"):
        choice.choose(None, 17)


def test_a_container_that_is_forced_and_cannot_be_had_is_an_error(
    monkeypatch: pytest.MonkeyPatch, authority: StaticAuthority, certificates: Certificates
) -> None:
    monkeypatch.setenv("LOCALAWS_POSTGRES", "container")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    with pytest.raises(LocalAwsError, match="is to run in a container, but no Docker daemon answers"):
        start(SETTINGS, authority=authority, certificates=certificates)


def test_without_docker_the_programs_on_this_machine_are_taken_and_it_is_said_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("LOCALAWS_POSTGRES", raising=False)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    choice._say_once.cache_clear()
    kinds: list[Kind] = [choice.choose(None, 17) for _ in range(2)]
    assert kinds == ["embedded", "embedded"]
    assert capsys.readouterr().err.splitlines() == [
        "localaws: PostgreSQL runs from the programs on this machine, not in a container: no Docker daemon answers"
    ]


def test_an_image_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALAWS_POSTGRES_IMAGE", "example.invalid/postgres:{version}-alpine")
    assert container.image_for(16) == "example.invalid/postgres:16-alpine"


def test_a_version_that_is_not_on_this_machine_is_refused(
    authority: StaticAuthority, certificates: Certificates
) -> None:
    with pytest.raises(LocalAwsError, match="no programs of PostgreSQL 12 on this machine: looked in"):
        start(SETTINGS, authority=authority, certificates=certificates, kind="embedded", version=12)


def test_the_server_does_not_run_as_root(door: Door) -> None:
    user = "CREATE TEMPORARY TABLE t (id int); COPY t FROM PROGRAM 'id -u'; SELECT id FROM t"
    assert door.postgres.admin(user) != [(0,)]
