"""The few messages of PostgreSQL's protocol (version 3) that the front door itself reads or writes."""

import struct
from asyncio import StreamReader
from dataclasses import dataclass

SSL_REQUEST = 80877103
GSSENC_REQUEST = 80877104
CANCEL_REQUEST = 80877102
PROTOCOL_MAJOR = 3

LENGTH_SIZE = 4  # a length counts itself
LONGEST_STARTUP = 10_000  # as in the server
LONGEST_PASSWORD = 65_535

ASK_FOR_PASSWORD = b"R" + struct.pack("!II", 8, 3)  # AuthenticationCleartextPassword
ACCEPT_TLS, DECLINE_GSSENC = b"S", b"N"

INVALID_AUTHORIZATION = "28000"
CANNOT_CONNECT_NOW = "57P03"
PROTOCOL_VIOLATION = "08P01"


class Malformed(Exception):  # noqa: N818 - says what the bytes are
    """What a client sent is not PostgreSQL's protocol."""


@dataclass(frozen=True)
class Request:
    """The first packet of a connection, or of a new attempt after the answer to a request for encryption."""

    code: int
    packet: bytes

    def parameters(self) -> dict[str, str]:
        """Read a StartupMessage's parameters."""
        if self.code >> 16 != PROTOCOL_MAJOR:
            raise Malformed(f"unsupported frontend protocol {self.code >> 16}.{self.code & 0xFFFF}")
        fields = self.packet[8:].split(b"\0")
        if fields[-2:] != [b"", b""] or len(fields) % 2:
            raise Malformed("invalid startup packet layout: expected terminator as last byte")
        try:
            texts = [field.decode() for field in fields[:-2]]
        except UnicodeDecodeError:
            raise Malformed("startup packet is not UTF-8") from None
        parameters = dict(zip(texts[::2], texts[1::2], strict=True))
        if not parameters.get("user"):
            raise Malformed("no PostgreSQL user name specified in startup packet")
        return parameters


async def read_request(reader: StreamReader) -> Request:
    """Read a packet without a type byte."""
    head = await reader.readexactly(8)
    length, code = struct.unpack("!II", head)
    if not len(head) <= length <= LONGEST_STARTUP:
        raise Malformed("invalid length of startup packet")
    return Request(code, head + await reader.readexactly(length - len(head)))


async def read_password(reader: StreamReader) -> str:
    """Read a PasswordMessage."""
    kind, length = struct.unpack("!cI", await reader.readexactly(5))
    if kind != b"p" or not LENGTH_SIZE < length <= LONGEST_PASSWORD:
        raise Malformed("expected password response")
    password = await reader.readexactly(length - LENGTH_SIZE)
    if password.find(b"\0") != len(password) - 1:
        raise Malformed("invalid password packet size")
    return password[:-1].decode(errors="replace")


def fatal(sqlstate: str, message: str) -> bytes:
    """Return an ErrorResponse that ends the connection."""
    fields = {"S": "FATAL", "V": "FATAL", "C": sqlstate, "M": message}
    body = b"".join(f"{name}{value}\0".encode() for name, value in fields.items()) + b"\0"
    return b"E" + struct.pack("!I", len(body) + 4) + body
