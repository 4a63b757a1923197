"""Whatever a stranger sends, the front door stays open for everybody else."""

import asyncio
import socket
import struct
from contextlib import suppress
from pathlib import Path

import pytest

from localaws.certificates import Certificates
from localaws.front_door.door import FrontDoor, Order
from localaws.front_door.entrance import Entrance
from localaws.postgres.settings import free_port
from tests.postgres.doors import GSSENC_REQUEST, SSL_REQUEST, Door, answer, startup
from tests.waiting import wait_until

CANCEL = 80877102
NONSENSE = {
    "nothing": b"",
    "half a length": b"\0\0",
    "a web browser": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a TLS handshake without asking": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32),
    "length zero": struct.pack("!II", 0, 3 << 16),
    "an endless length": struct.pack("!II", 2**32 - 1, 3 << 16),
    "more than a startup packet may have": startup(b"x" * 10_000),
    "less than announced": startup(b"user\0a\0\0")[:-3],
    "a cancel of nothing": startup(b"", code=CANCEL),
    "a cancel of somebody else": startup(struct.pack("!II", 1, 2), code=CANCEL),
}
MALFORMED = {
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
    "goodbye": b"X\0\0\0\x04",
}


@pytest.mark.parametrize("sent", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_ends_its_own_connection_only(door: Door, sent: bytes) -> None:
    with door.socket() as stranger:
        stranger.sendall(sent)
        with suppress(OSError):  # where the proxy has closed the connection already
            stranger.shutdown(socket.SHUT_WR)
        assert answer(stranger).strip(b"N") == b""
    door.connect_as_master().close()


@pytest.mark.parametrize(("sent", "told"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_startup_packet_is_answered(door: Door, sent: bytes, told: bytes) -> None:
    with door.tls() as stranger:
        stranger.sendall(sent)
        reply = answer(stranger)
    assert reply.startswith(b"E")
    assert told in reply
    door.connect_as_master().close()


@pytest.mark.parametrize("sent", NO_PASSWORD.values(), ids=NO_PASSWORD)
def test_what_is_no_password_message_ends_the_login(door: Door, iam_role: str, sent: bytes) -> None:
    with door.tls() as stranger:
        stranger.sendall(startup(f"user\0{iam_role}\0database\0app\0\0".encode()))
        assert stranger.recv(9) == b"R" + struct.pack("!II", 8, 3)
        stranger.sendall(sent)
        assert answer(stranger) == b""
    door.connect_as_master().close()


def test_bytes_smuggled_in_before_encryption_are_not_taken_for_encrypted(door: Door) -> None:
    before = len(door.postgres.auth_log())
    with door.socket() as stranger:
        stranger.sendall(SSL_REQUEST + startup(b"user\0postgres\0\0"))
        assert not answer(stranger).removeprefix(b"S").startswith((b"R", b"E"))
    wait_until(lambda: any("dropped a connection" in line for line in door.postgres.auth_log()[before:]))


@pytest.mark.parametrize("request_again", [SSL_REQUEST, GSSENC_REQUEST], ids=["SSL", "GSS"])
def test_encryption_is_asked_for_once(door: Door, request_again: bytes) -> None:
    with door.tls() as stranger:
        stranger.sendall(request_again)
        assert b"unsupported frontend protocol 1234." in answer(stranger)


def test_gss_encryption_is_declined_and_nothing_may_come_before_the_answer(door: Door) -> None:
    with door.socket() as stranger:
        stranger.sendall(GSSENC_REQUEST * 2)
        reply = answer(stranger)
    assert reply.startswith(b"NE")
    assert b"received unencrypted data after GSSAPI encryption request" in reply


def test_a_client_that_breaks_off_the_handshake_harms_nobody(door: Door) -> None:
    for _ in range(20):
        with door.socket() as stranger:
            stranger.sendall(SSL_REQUEST)
            assert stranger.recv(1) == b"S"
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close by a reset
    door.connect_as_master().close()


def test_names_from_outside_cannot_forge_lines_in_the_log(door: Door) -> None:
    with door.tls() as stranger:
        stranger.sendall(startup(b"user\0rdsadmin\0database\0x\naccepted everybody\0\0"))
        assert b"pg_hba.conf rejects connection" in answer(stranger)
    assert r"x\naccepted everybody" in door.postgres.auth_log()[-1]


def order(folder: Path, *, login_seconds: float) -> Order:
    """Describe a front door with nothing behind it."""
    certificate, key = Certificates(folder).issue(["127.0.0.1"])
    nowhere = Entrance(trusted={"host": str(folder), "port": 1}, password_port=1)
    return Order(
        entrance=nowhere,
        port=free_port(),
        server_version=17,
        certificate=str(certificate),
        key=str(key),
        authority=str(folder / "nobody"),
        auth_log=str(folder / "auth.log"),
        iam=True,
        force_ssl=False,
        login_seconds=login_seconds,
    )


async def knock(order: Order, sent: bytes) -> bytes:
    """Open the door, send something, return the whole answer."""
    await FrontDoor(order).open()
    reader, writer = await asyncio.open_connection("127.0.0.1", order.port)
    writer.write(sent)
    try:
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


def test_a_login_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    assert asyncio.run(knock(order(tmp_path, login_seconds=0.2), b"\0\0\0")) == b""
    assert "TimeoutError" in (tmp_path / "auth.log").read_text()


def test_while_there_is_no_server_the_client_is_told_to_wait(tmp_path: Path) -> None:
    reply = asyncio.run(knock(order(tmp_path, login_seconds=10), startup(b"user\0postgres\0\0")))
    assert b"C57P03\0Mthe database system is starting up\0" in reply
