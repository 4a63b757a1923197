"""Malformed input of one client, which does not affect other clients of the proxy."""

import asyncio
import socket
import struct
from contextlib import suppress
from pathlib import Path

import pytest

from localaws.certificates import CertificateAuthority
from localaws.postgres import ServerAccess
from localaws.postgres.server import free_port
from localaws.rds.proxy.config import ProxyConfig
from localaws.rds.proxy.proxy import Proxy
from tests.postgres.proxies import GSSENC_REQUEST, SSL_REQUEST, ProxyClient, answer, startup
from tests.waiting import wait_until

CANCEL = 80877102
MALFORMED_INPUT = {
    "nothing": b"",
    "half a length": b"\0\0",
    "a web browser": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a TLS handshake without a request": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32),
    "length zero": struct.pack("!II", 0, 3 << 16),
    "an endless length": struct.pack("!II", 2**32 - 1, 3 << 16),
    "more than a startup packet may have": startup(b"x" * 10_000),
    "less than announced": startup(b"user\0a\0\0")[:-3],
    "a cancel of nothing": startup(b"", code=CANCEL),
    "a cancel with a wrong key": startup(struct.pack("!II", 1, 2), code=CANCEL),
}
MALFORMED_STARTUP = {
    "protocol 2": (startup(b"user\0postgres\0\0", code=2 << 16), b"unsupported frontend protocol 2.0"),
    "no user": (startup(b"database\0app\0\0"), b"no PostgreSQL user name specified"),
    "no parameters": (startup(b"\0"), b"no PostgreSQL user name specified"),
    "no terminator": (startup(b"user\0postgres"), b"invalid startup packet layout"),
    "a name without a value": (startup(b"user\0postgres\0database\0\0"), b"invalid startup packet layout"),
}
NO_PASSWORD = {
    "another message": b"Q\0\0\0\x0dSELECT 1\0",
    "length zero": b"p\0\0\0\0",
    "an endless length": b"p\xff\xff\xff\xff",
    "no terminator": b"p\0\0\0\x06ab",
    "two strings": b"p\0\0\0\x08a\0b\0",
    "terminate": b"X\0\0\0\x04",
}


@pytest.mark.parametrize("sent", MALFORMED_INPUT.values(), ids=MALFORMED_INPUT)
def test_malformed_input_ends_its_own_connection_only(proxy: ProxyClient, sent: bytes) -> None:
    with proxy.socket() as client:
        client.sendall(sent)
        with suppress(OSError):  # where the proxy has closed the connection already
            client.shutdown(socket.SHUT_WR)
        assert answer(client).strip(b"N") == b""
    proxy.connect_as_master().close()


@pytest.mark.parametrize(("sent", "message"), MALFORMED_STARTUP.values(), ids=MALFORMED_STARTUP)
def test_a_malformed_startup_packet_gets_an_error_message(proxy: ProxyClient, sent: bytes, message: bytes) -> None:
    with proxy.tls() as client:
        client.sendall(sent)
        reply = answer(client)
    assert reply.startswith(b"E")
    assert message in reply
    proxy.connect_as_master().close()


@pytest.mark.parametrize("sent", NO_PASSWORD.values(), ids=NO_PASSWORD)
def test_a_message_other_than_a_password_ends_the_login(proxy: ProxyClient, iam_role: str, sent: bytes) -> None:
    with proxy.tls() as client:
        client.sendall(startup(f"user\0{iam_role}\0database\0app\0\0".encode()))
        assert client.recv(9) == b"R" + struct.pack("!II", 8, 3)
        client.sendall(sent)
        assert answer(client) == b""
    proxy.connect_as_master().close()


def test_bytes_before_the_encryption_are_not_treated_as_encrypted(proxy: ProxyClient) -> None:
    before = len(proxy.postgres.auth_log())
    with proxy.socket() as client:
        client.sendall(SSL_REQUEST + startup(b"user\0postgres\0\0"))
        assert not answer(client).removeprefix(b"S").startswith((b"R", b"E"))
    wait_until(lambda: any("dropped a connection" in line for line in proxy.postgres.auth_log()[before:]))


@pytest.mark.parametrize("request_again", [SSL_REQUEST, GSSENC_REQUEST], ids=["SSL", "GSS"])
def test_a_second_request_for_encryption_is_rejected(proxy: ProxyClient, request_again: bytes) -> None:
    with proxy.tls() as client:
        client.sendall(request_again)
        assert b"unsupported frontend protocol 1234." in answer(client)


def test_gss_encryption_is_declined_and_bytes_before_the_response_are_rejected(proxy: ProxyClient) -> None:
    with proxy.socket() as client:
        client.sendall(GSSENC_REQUEST * 2)
        reply = answer(client)
    assert reply.startswith(b"NE")
    assert b"received unencrypted data after GSSAPI encryption request" in reply


def test_clients_that_break_off_the_tls_handshake_do_not_affect_other_clients(proxy: ProxyClient) -> None:
    for _ in range(20):
        with proxy.socket() as client:
            client.sendall(SSL_REQUEST)
            assert client.recv(1) == b"S"
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close by a reset
    proxy.connect_as_master().close()


def test_a_name_with_a_line_break_cannot_forge_a_line_of_the_log(proxy: ProxyClient) -> None:
    with proxy.tls() as client:
        client.sendall(startup(b"user\0rdsadmin\0database\0x\naccepted everybody\0\0"))
        assert b"pg_hba.conf rejects connection" in answer(client)
    assert r"x\naccepted everybody" in proxy.postgres.auth_log()[-1]


def config(folder: Path, *, login_timeout: float) -> ProxyConfig:
    """Return the configuration of a proxy without a server."""
    certificate, key = CertificateAuthority(folder).issue(["127.0.0.1"])
    return ProxyConfig(
        access=ServerAccess(trusted={"host": str(folder), "port": 1}, password_port=1),
        port=free_port(),
        server_version=17,
        certificate=str(certificate),
        key=str(key),
        verifier=str(folder / "verifier"),
        auth_log=str(folder / "auth.log"),
        iam=True,
        force_ssl=False,
        login_timeout=login_timeout,
    )


async def send(config: ProxyConfig, packet: bytes) -> bytes:
    """Open a proxy, send a packet to it, and return all bytes of the response."""
    await Proxy(config).open()
    reader, writer = await asyncio.open_connection("127.0.0.1", config.port)
    writer.write(packet)
    try:
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


def test_the_proxy_ends_a_login_that_takes_longer_than_the_login_timeout(tmp_path: Path) -> None:
    assert asyncio.run(send(config(tmp_path, login_timeout=0.2), b"\0\0\0")) == b""
    assert "TimeoutError" in (tmp_path / "auth.log").read_text()


def test_without_a_server_the_client_gets_the_error_that_the_database_is_starting_up(tmp_path: Path) -> None:
    reply = asyncio.run(send(config(tmp_path, login_timeout=10), startup(b"user\0postgres\0\0")))
    assert b"C57P03\0Mthe database system is starting up\0" in reply
