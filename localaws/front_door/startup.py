"""The StartupMessage, read as the server reads it (ProcessStartupPacket), and what is negotiated of the protocol."""

import struct
from dataclasses import dataclass
from typing import Self

from localaws.front_door.wire import PROTOCOL_MAJOR, Malformed, Request

LONGEST_NAME = 63
"""Bytes of a user's or a database's name. The server cuts longer ones there, even in the middle of a character."""
FIRST_VERSION_WITH_PROTOCOL_3_2 = 18
PROTOCOL_OPTION = b"_pq_."
NO_REPLICATION = {b"database", b"false", b"off", b"no", b"0"}
"""The values of `replication` for sessions that pg_hba.conf treats as those without it."""

type Parameter = tuple[bytes, bytes]


@dataclass(frozen=True)
class StartupMessage:
    """The parameters of a client's request. Of two parameters with one name, the later one counts."""

    minor: int
    parameters: tuple[Parameter, ...]

    @classmethod
    def read(cls, request: Request) -> Self:
        """Read a request; raises Malformed where the server would refuse it."""
        major, minor = request.code >> 16, request.code & 0xFFFF
        if major != PROTOCOL_MAJOR:
            raise Malformed(f"unsupported frontend protocol {major}.{minor}")
        message = cls(minor, _parameters(request.packet[8:]))
        if dict(message.parameters).get(b"replication", b"database") not in NO_REPLICATION:
            raise Malformed("a replication connection, which no client may open")
        if not message.user:
            raise Malformed("no PostgreSQL user name specified in startup packet")
        return message

    @property
    def user(self) -> str:
        """The user's name as far as the server reads it; bytes that are not UTF-8 are escaped."""
        return self._name(b"user")

    @property
    def database(self) -> str:
        """The database's name, by default the user's."""
        return self._name(b"database") or self.user

    def negotiation(self, newest_minor: int) -> bytes:
        """Return the NegotiateProtocolVersion of a server that speaks 3.`newest_minor`; nothing if all is agreed."""
        options = [name for name, _ in self.parameters if name.startswith(PROTOCOL_OPTION)]
        if self.minor <= newest_minor and not options:
            return b""
        version = PROTOCOL_MAJOR << 16 | min(self.minor, newest_minor)
        body = struct.pack("!II", version, len(options)) + b"".join(option + b"\0" for option in options)
        return b"v" + struct.pack("!I", len(body) + 4) + body

    def agreed(self, newest_minor: int) -> bytes:
        """Return the packet without what `negotiation` has declined, for the server to find nothing to negotiate."""
        left = [pair for pair in self.parameters if not pair[0].startswith(PROTOCOL_OPTION)]
        body = b"".join(name + b"\0" + value + b"\0" for name, value in left) + b"\0"
        version = PROTOCOL_MAJOR << 16 | min(self.minor, newest_minor)
        return struct.pack("!II", len(body) + 8, version) + body

    def _name(self, parameter: bytes) -> str:
        return dict(self.parameters).get(parameter, b"")[:LONGEST_NAME].decode(errors="surrogateescape")


def newest_minor(server_version: int) -> int:
    """Return the newest minor version of the protocol that a server of this major version speaks."""
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
    raise Malformed("invalid startup packet layout: expected terminator as last byte")
