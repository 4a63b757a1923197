"""Negotiate the encryption of a new connection, in the order of PostgreSQL's backend_startup.c.

The negotiation reads from the bare socket, because asyncio's streams read ahead. Bytes that a client sends in clear
text must not be treated as encrypted.
"""

import asyncio
import socket
import ssl

from localaws.errors import ProtocolError
from localaws.rds.proxy import wire
from localaws.rds.proxy.client_hello import alpn_protocols
from localaws.rds.proxy.relay import Stream

FIRST_VERSION_WITH_DIRECT_TLS = 17
"""The first version that accepts TLS without a request, and that requires its own protocol name in ALPN."""
ALPN = "postgresql"
TLS_HANDSHAKE, RECORD_HEADER = 22, 5
NO_APPLICATION_PROTOCOL = bytes((21, 3, 3, 0, 2, 2, 120))
"""The TLS record of the fatal alert `no_application_protocol`."""
REQUESTS = {wire.SSL_REQUEST: "SSL", wire.GSSENC_REQUEST: "GSSAPI encryption"}


class Negotiation:
    """The negotiation with one client. `version`: the major version of the server."""

    def __init__(self, connection: socket.socket, tls: ssl.SSLContext, *, version: int) -> None:
        self._connection = connection
        self._tls = tls
        self._accepts_direct_tls = version >= FIRST_VERSION_WITH_DIRECT_TLS
        self._stream: Stream | None = None

    async def run(self) -> tuple[Stream, wire.Request]:
        """Return the connection, encrypted or not, and the first request that does not concern encryption.

        Raises ProtocolError if the client violates the protocol, and the errors of connections.
        """
        if self._accepts_direct_tls and (await self._peek(1))[:1] == bytes((TLS_HANDSHAKE,)):
            return await self._start_direct_tls()
        request = await wire.read_request(self._receive)
        if request.code == wire.GSSENC_REQUEST:
            await self._send(wire.DECLINE)
            if self._read_ahead():
                await self._send(wire.early_data(REQUESTS[request.code]))
                raise ProtocolError("received unencrypted data after GSSAPI encryption request")
            request = await wire.read_request(self._receive)
        if request.code == wire.SSL_REQUEST:
            return await self._start_requested_tls()
        return await self._wrap(), request

    async def close(self) -> None:
        """Close the connection in any state."""
        if self._stream is None:
            with self._connection:
                self._read_ahead()  # unread bytes cause a reset, which can overtake the bytes that were sent
            return
        self._stream[1].close()
        await self._stream[1].wait_closed()

    def abort(self) -> None:
        """End the connection at once, without the end of TLS."""
        if self._stream is not None:
            self._stream[1].transport.abort()

    async def _start_requested_tls(self) -> tuple[Stream, wire.Request]:
        # A server without direct TLS reads ahead, and sends the error when TLS is established. A newer server treats
        # the bytes after the request as the beginning of TLS.
        early = b"" if self._accepts_direct_tls else self._read_ahead()
        await self._send(wire.ACCEPT_TLS)
        reader, writer = stream = await self._encrypt()
        if early:
            await self._reject_early_data(writer, wire.SSL_REQUEST)
        return stream, await wire.read_request(reader.readexactly)

    async def _start_direct_tls(self) -> tuple[Stream, wire.Request]:
        reader, writer = stream = await self._encrypt()
        if writer.get_extra_info("ssl_object").selected_alpn_protocol() is None:
            raise ProtocolError("received direct SSL connection request without ALPN protocol negotiation extension")
        before = None
        while (request := await wire.read_request(reader.readexactly)).code in REQUESTS.keys() - {before}:
            before = request.code  # the server declines each request any number of times, but not twice in a row
            writer.write(wire.DECLINE)
            if await _has_more(reader):
                await self._reject_early_data(writer, before)
        return stream, request

    async def _reject_early_data(self, writer: asyncio.StreamWriter, code: int) -> None:
        writer.write(wire.early_data(REQUESTS[code]))
        await writer.drain()
        raise ProtocolError(f"received unencrypted data after {REQUESTS[code]} request")

    async def _encrypt(self) -> Stream:
        if self._accepts_direct_tls:
            await self._reject_other_protocols()
        return await self._wrap(self._tls)

    async def _reject_other_protocols(self) -> None:
        """Reject a client that offers ALPN protocols without PostgreSQL's. Python's ssl would ignore the offer."""
        header = await self._peek(RECORD_HEADER)
        if header[:1] != bytes((TLS_HANDSHAKE,)):
            return  # not TLS: OpenSSL reports the error
        record = await self._peek(RECORD_HEADER + int.from_bytes(header[3:5]))
        offered = alpn_protocols(record[RECORD_HEADER:])
        if offered and ALPN not in offered:
            self._read_ahead()
            await self._send(NO_APPLICATION_PROTOCOL)
            raise ProtocolError(f"the ALPN protocols must include {ALPN!r} (got {', '.join(offered)!r})")

    async def _wrap(self, tls: ssl.SSLContext | None = None) -> Stream:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, self._connection, ssl=tls)
        self._stream = reader, asyncio.StreamWriter(transport, protocol, reader, loop)
        return self._stream

    async def _receive(self, size: int) -> bytes:
        received = b""
        while len(received) < size:
            chunk = await asyncio.get_running_loop().sock_recv(self._connection, size - len(received))
            if not chunk:
                raise asyncio.IncompleteReadError(received, size)
            received += chunk
        return received

    async def _send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._connection, data)

    async def _peek(self, size: int) -> bytes:
        """Return `size` bytes that have arrived, and leave them unread. Return fewer if the client sends no more."""
        loop, arrived = asyncio.get_running_loop(), asyncio.Event()
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
        loop.add_reader(self._connection, arrived.set)
        try:
            await arrived.wait()
        finally:
            loop.remove_reader(self._connection)
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        return self._connection.recv(size, socket.MSG_PEEK)

    def _read_ahead(self) -> bytes:
        """Return the bytes that have arrived already."""
        try:
            return self._connection.recv(wire.MAX_STARTUP)
        except BlockingIOError:
            return b""


async def _has_more(reader: asyncio.StreamReader) -> bool:
    """Return whether bytes have arrived already."""
    try:
        async with asyncio.timeout(0):
            return bool(await reader.read(1))
    except TimeoutError:
        return False
