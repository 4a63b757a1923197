"""The messages of PostgreSQL's protocol (version 3) that the proxy itself reads or writes."""

import struct
from asyncio import StreamReader
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from localaws.errors import ProtocolError

SSL_REQUEST = 80877103
GSSENC_REQUEST = 80877104
CANCEL_REQUEST = 80877102
PROTOCOL_MAJOR = 3

LENGTH_SIZE = 4  # the length includes itself
MIN_STARTUP, MAX_STARTUP = 8, 10_000  # as in the server
MAX_PASSWORD = 65_535

REQUEST_PASSWORD = b"R" + struct.pack("!II", 8, 3)  # AuthenticationCleartextPassword
ACCEPT_TLS, DECLINE = b"S", b"N"

INVALID_AUTHORIZATION = "28000"
CANNOT_CONNECT_NOW = "57P03"
PROTOCOL_VIOLATION = "08P01"
FEATURE_NOT_SUPPORTED = "0A000"


@dataclass(frozen=True)
class Request:
    """The first packet of a connection, or the next packet after the response to a request for encryption."""

    code: int
    packet: bytes


async def read_request(read_exactly: Callable[[int], Awaitable[bytes]]) -> Request:
    """Read a packet without a type byte."""
    head = await read_exactly(LENGTH_SIZE)
    length = int.from_bytes(head)
    if not MIN_STARTUP <= length <= MAX_STARTUP:
        raise ProtocolError("invalid length of startup packet")
    body = await read_exactly(length - LENGTH_SIZE)
    return Request(int.from_bytes(body[:4]), head + body)


async def read_password(reader: StreamReader) -> str:
    """Read a PasswordMessage."""
    kind, length = struct.unpack("!cI", await reader.readexactly(5))
    if kind != b"p" or not LENGTH_SIZE < length <= MAX_PASSWORD:
        raise ProtocolError("expected password response")
    password = await reader.readexactly(length - LENGTH_SIZE)
    if password.find(b"\0") != len(password) - 1:
        raise ProtocolError("invalid password packet size")
    return password[:-1].decode(errors="replace")


def fatal(sqlstate: str, message: str, detail: str = "") -> bytes:
    """Return an ErrorResponse that ends the connection."""
    fields = {"S": "FATAL", "V": "FATAL", "C": sqlstate, "M": message, "D": detail}
    texts = "".join(f"{name}{value}\0" for name, value in fields.items() if value)
    body = texts.encode(errors="surrogateescape") + b"\0"
    return b"E" + struct.pack("!I", len(body) + LENGTH_SIZE) + body


def early_data(encryption: str) -> bytes:
    """Return the server's error for bytes that the client sent before the encryption that it requested."""
    detail = "This could be either a client-software bug or evidence of an attempted man-in-the-middle attack."
    return fatal(PROTOCOL_VIOLATION, f"received unencrypted data after {encryption} request", detail)
