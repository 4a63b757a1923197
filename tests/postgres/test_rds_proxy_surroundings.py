"""The server of an RDS instance: access without the proxy, its kind, and the end with its starter."""

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg2
import pytest

from localaws.certificates import CertificateAuthority
from localaws.errors import LocalAwsError
from localaws.postgres import Kind, choice, container
from localaws.rds import RdsInstance, start
from tests.postgres.proxies import PASSWORD, ProxyClient
from tests.postgres.servers import SETTINGS
from tests.token_verifiers import StaticTokenVerifier

STARTER = """
import json, sys, time
from pathlib import Path
from localaws.certificates import CertificateAuthority
from localaws.rds import start
from tests.postgres.servers import SETTINGS, token_verifier

certificates = CertificateAuthority(Path(sys.argv[1]))
server = start(SETTINGS, token_verifier=token_verifier(), certificates=certificates, kind=sys.argv[2])
ports = [server.port, server.access.password_port]
print(json.dumps({"ports": ports, "folder": str(server.folder)}), flush=True)
time.sleep(600)
"""


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT], ids=str)
def test_the_proxy_the_server_and_its_folder_end_with_the_process_that_started_them(
    postgres: RdsInstance, tmp_path: Path, end: signal.Signals
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, tmp_path, postgres.kind], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as starter:
        assert starter.stdout
        instance = json.loads(starter.stdout.readline())
        assert all(listens(port) for port in instance["ports"])
        starter.send_signal(end)
        starter.wait(20)
    deadline = time.monotonic() + 20
    while Path(instance["folder"]).exists() or any(listens(port) for port in instance["ports"]):
        assert time.monotonic() < deadline, f"not ended: {instance}"
        time.sleep(0.05)


def test_the_server_rejects_iam_roles_and_the_superuser_that_bypass_the_proxy(
    proxy: ProxyClient, password_role: str, iam_role: str
) -> None:
    server_port = proxy.postgres.access.password_port
    for user, password in [(iam_role, PASSWORD), (iam_role, proxy.token(iam_role)), ("rdsadmin", "")]:
        for mode in ("disable", "require"):
            with pytest.raises(psycopg2.OperationalError):
                proxy.connect(user, password, port=server_port, sslmode=mode)


def test_the_server_listens_on_the_loopback_address_only(proxy: ProxyClient) -> None:
    sockets = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    for port in (proxy.postgres.port, proxy.postgres.access.password_port):
        listening = [line.split()[1] for line in sockets.splitlines() if f":{port:04X} " in line.split(" 0A ")[0]]
        assert f"0100007F:{port:04X}" in listening
        assert all(address.startswith("0100007F") for address in listening if address.endswith(f":{port:04X}"))


def test_a_kind_that_does_not_exist_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALAWS_POSTGRES", "vm")
    with pytest.raises(LocalAwsError, match=r"LOCALAWS_POSTGRES must be one of container, embedded \(got 'vm'\)"):
        choice.choose_kind(None, 17)


def test_a_required_container_without_docker_is_an_error(
    monkeypatch: pytest.MonkeyPatch, token_verifier: StaticTokenVerifier, certificates: CertificateAuthority
) -> None:
    monkeypatch.setenv("LOCALAWS_POSTGRES", "container")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    with pytest.raises(LocalAwsError, match="PostgreSQL cannot run in a container: no Docker daemon answers"):
        start(SETTINGS, token_verifier=token_verifier, certificates=certificates)


def test_without_docker_the_programs_on_this_machine_are_used_with_one_warning(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("LOCALAWS_POSTGRES", raising=False)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    kinds: list[Kind] = [choice.choose_kind(None, 17) for _ in range(2)]
    assert kinds == ["embedded", "embedded"]
    assert capsys.readouterr().err.splitlines() == [
        "localaws: PostgreSQL runs from the programs on this machine, not in a container: no Docker daemon answers"
    ]


def test_localaws_postgres_image_names_the_image_of_a_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALAWS_POSTGRES_IMAGE", "example.invalid/postgres:{version}-alpine")
    assert container.image_for(16) == "example.invalid/postgres:16-alpine"


def test_a_version_without_locked_programs_is_rejected(
    token_verifier: StaticTokenVerifier, certificates: CertificateAuthority
) -> None:
    with pytest.raises(LocalAwsError, match=r"PostgreSQL must be version 15, 16, 17 or 18 \(got 12\)"):
        start(SETTINGS, token_verifier=token_verifier, certificates=certificates, kind="embedded", version=12)


def test_the_server_does_not_run_as_root(proxy: ProxyClient) -> None:
    user = "CREATE TEMPORARY TABLE t (id int); COPY t FROM PROGRAM 'id -u'; SELECT id FROM t"
    assert proxy.postgres.admin(user) != [(0,)]
