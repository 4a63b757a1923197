"""The beginning of a connection, until encryption is settled, in the order of PostgreSQL's backend_startup.c.

It works on the bare socket: asyncio's streams read ahead, and what a client sends in clear text must not pass for
encrypted.
"""

import asyncio
import socket
import ssl

from localaws.front_door import wire
from localaws.front_door.client_hello import alpn_protocols
from localaws.front_door.relay import Stream

FIRST_VERSION_WITH_DIRECT_TLS = 17
"""The first version that takes TLS without a request for it, and that insists on its own name where ALPN is used."""
ALPN = "postgresql"
TLS_HANDSHAKE, RECORD_HEADER = 22, 5
NO_SUCH_PROTOCOL = bytes((21, 3, 3, 0, 2, 2, 120))
"""The TLS record of the fatal alert `no_application_protocol`."""
REQUESTS = {wire.SSL_REQUEST: "SSL", wire.GSSENC_REQUEST: "GSSAPI encryption"}


class Negotiation:
    """The negotiation with one client. `version` is the major version of the server that the client meets."""

    def __init__(self, connection: socket.socket, tls: ssl.SSLContext, *, version: int) -> None:
        self._connection = connection
        self._tls = tls
        self._takes_direct_tls = version >= FIRST_VERSION_WITH_DIRECT_TLS
        self._stream: Stream | None = None

    async def run(self) -> tuple[Stream, wire.Request]:
        """Return the connection, encrypted or not, and the first request on it that is not about encryption.

        Raises wire.Malformed when the client breaks the rules, and what becomes of connections.
        """
        if self._takes_direct_tls and (await self._peek(1))[:1] == bytes((TLS_HANDSHAKE,)):
            return await self._take_direct_tls()
        request = await wire.read_request(self._receive)
        if request.code == wire.GSSENC_REQUEST:
            await self._send(wire.DECLINE)
            if self._read_ahead():
                await self._send(wire.early_data(REQUESTS[request.code]))
                raise wire.Malformed("received unencrypted data after GSSAPI encryption request")
            request = await wire.read_request(self._receive)
        if request.code == wire.SSL_REQUEST:
            return await self._take_tls_on_request()
        return await self._wrap(), request

    async def close(self) -> None:
        """Close the connection in any state."""
        if self._stream is None:
            with self._connection:
                self._read_ahead()  # what is left unread would become a reset, which can overtake what was sent
            return
        self._stream[1].close()
        await self._stream[1].wait_closed()

    async def _take_tls_on_request(self) -> tuple[Stream, wire.Request]:
        # A server without direct TLS has read ahead, and complains once TLS is established. A newer one takes
        # the bytes after the request as the beginning of TLS.
        early = b"" if self._takes_direct_tls else self._read_ahead()
        await self._send(wire.ACCEPT_TLS)
        reader, writer = stream = await self._encrypt()
        if early:
            await self._refuse_early_data(writer, wire.SSL_REQUEST)
        return stream, await wire.read_request(reader.readexactly)

    async def _take_direct_tls(self) -> tuple[Stream, wire.Request]:
        reader, writer = stream = await self._encrypt()
        if writer.get_extra_info("ssl_object").selected_alpn_protocol() is None:
            raise wire.Malformed("received direct SSL connection request without ALPN protocol negotiation extension")
        before = None
        while (request := await wire.read_request(reader.readexactly)).code in REQUESTS.keys() - {before}:
            before = request.code  # the server declines each as often as it comes, but not twice in a row
            writer.write(wire.DECLINE)
            if await _has_more(reader):
                await self._refuse_early_data(writer, before)
        return stream, request

    async def _refuse_early_data(self, writer: asyncio.StreamWriter, code: int) -> None:
        writer.write(wire.early_data(REQUESTS[code]))
        await writer.drain()
        raise wire.Malformed(f"received unencrypted data after {REQUESTS[code]} request")

    async def _encrypt(self) -> Stream:
        if self._takes_direct_tls:
            await self._refuse_other_protocols()
        return await self._wrap(self._tls)

    async def _refuse_other_protocols(self) -> None:
        """Refuse a client that offers ALPN protocols without PostgreSQL's; Python would ignore the offer."""
        header = await self._peek(RECORD_HEADER)
        if header[:1] != bytes((TLS_HANDSHAKE,)):
            return  # no TLS, which OpenSSL says
        record = await self._peek(RECORD_HEADER + int.from_bytes(header[3:5]))
        offered = alpn_protocols(record[RECORD_HEADER:])
        if offered and ALPN not in offered:
            self._read_ahead()
            await self._send(NO_SUCH_PROTOCOL)
            raise wire.Malformed(f"no ALPN protocol {ALPN!r} among {', '.join(offered)!r}")

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
            piece = await asyncio.get_running_loop().sock_recv(self._connection, size - len(received))
            if not piece:
                raise asyncio.IncompleteReadError(received, size)
            received += piece
        return received

    async def _send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._connection, data)

    async def _peek(self, size: int) -> bytes:
        """Return `size` bytes that have arrived, and leave them unread; fewer where the client has sent its last."""
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
        """Return what has arrived already."""
        try:
            return self._connection.recv(wire.LONGEST_STARTUP)
        except BlockingIOError:
            return b""


async def _has_more(reader: asyncio.StreamReader) -> bool:
    """Say whether bytes have arrived already."""
    try:
        async with asyncio.timeout(0):
            return bool(await reader.read(1))
    except TimeoutError:
        return False
