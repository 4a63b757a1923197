"""The StartupMessage, read as in the server (ProcessStartupPacket), and the negotiation of the protocol version."""

import struct
from dataclasses import dataclass
from typing import Self

from localaws.errors import ProtocolError
from localaws.rds.proxy.wire import PROTOCOL_MAJOR, Request

MAX_NAME_BYTES = 63
"""The bytes of the name of a user or database. The server cuts longer names, even in the middle of a character."""
FIRST_VERSION_WITH_PROTOCOL_3_2 = 18
PROTOCOL_OPTION = b"_pq_."
NO_REPLICATION = {b"database", b"false", b"off", b"no", b"0"}
"""The values of `replication` for sessions that pg_hba.conf treats as sessions without replication."""

type Parameter = tuple[bytes, bytes]


@dataclass(frozen=True)
class StartupMessage:
    """The parameters of a client's session. The last of two parameters with one name is valid."""

    minor: int
    parameters: tuple[Parameter, ...]

    @classmethod
    def read(cls, request: Request) -> Self:
        """Read a request. Raises ProtocolError if the server would reject it."""
        major, minor = request.code >> 16, request.code & 0xFFFF
        if major != PROTOCOL_MAJOR:
            raise ProtocolError(f"unsupported frontend protocol {major}.{minor}")
        message = cls(minor, _parameters(request.packet[8:]))
        if dict(message.parameters).get(b"replication", b"database") not in NO_REPLICATION:
            raise ProtocolError("replication connections are not allowed")
        if not message.user:
            raise ProtocolError("no PostgreSQL user name specified in startup packet")
        return message

    @property
    def user(self) -> str:
        """The name of the user, cut as in the server. Bytes that are not UTF-8 are escaped."""
        return self._name(b"user")

    @property
    def database(self) -> str:
        """The name of the database. The default is the name of the user."""
        return self._name(b"database") or self.user

    def negotiation(self, newest_minor: int) -> bytes:
        """Return NegotiateProtocolVersion for a server with protocol 3.`newest_minor`, or nothing if none is needed."""
        options = [name for name, _ in self.parameters if name.startswith(PROTOCOL_OPTION)]
        if self.minor <= newest_minor and not options:
            return b""
        version = PROTOCOL_MAJOR << 16 | min(self.minor, newest_minor)
        body = struct.pack("!II", version, len(options)) + b"".join(option + b"\0" for option in options)
        return b"v" + struct.pack("!I", len(body) + 4) + body

    def negotiated(self, newest_minor: int) -> bytes:
        """Return the packet for the server, without the version and the options that `negotiation` declines."""
        parameters = [pair for pair in self.parameters if not pair[0].startswith(PROTOCOL_OPTION)]
        body = b"".join(name + b"\0" + value + b"\0" for name, value in parameters) + b"\0"
        version = PROTOCOL_MAJOR << 16 | min(self.minor, newest_minor)
        return struct.pack("!II", len(body) + 8, version) + body

    def _name(self, parameter: bytes) -> str:
        return dict(self.parameters).get(parameter, b"")[:MAX_NAME_BYTES].decode(errors="surrogateescape")


def newest_minor(server_version: int) -> int:
    """Return the newest minor version of the protocol that a server of this major version supports."""
    return 2 if server_version >= FIRST_VERSION_WITH_PROTOCOL_3_2 else 0


def _parameters(body: bytes) -> tuple[Parameter, ...]:
    parameters, rest = [], body
    while rest and not rest.startswith(b"\0"):
        name, _, rest = rest.partition(b"\0")
        value, terminator, rest = rest.partition(b"\0")
        if not terminator:
            break
        parameters.append((name, value))
    else:
        if rest == b"\0":
            return tuple(parameters)
    raise ProtocolError("invalid startup packet layout: expected terminator as last byte")
