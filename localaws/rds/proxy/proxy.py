"""Serve clients: authenticate each, relay it to the server, and log the decision."""

import asyncio
import socket
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import psycopg2

from localaws.constants import HOST
from localaws.errors import AuthenticationError, LoginRejectedError, ProtocolError
from localaws.postgres import SUPERUSER
from localaws.rds.proxy import verifier_socket, wire
from localaws.rds.proxy.backend import Backend
from localaws.rds.proxy.config import ProxyConfig
from localaws.rds.proxy.login import (
    LoginRecord,
    bad_token,
    not_in_hba,
    rejected_by_hba,
    repeated_encryption_request,
    server_unavailable,
)
from localaws.rds.proxy.negotiation import ALPN, FIRST_VERSION_WITH_DIRECT_TLS, Negotiation
from localaws.rds.proxy.relay import Stream, relay
from localaws.rds.proxy.startup import StartupMessage, newest_minor

LISTEN_BACKLOG = 512
ACCEPT_RETRY_SECONDS = 0.5
CONNECTION_ERRORS = (OSError, EOFError, TimeoutError, ssl.SSLError)


class Proxy:
    """Serves clients on a port of the loopback address."""

    def __init__(self, config: ProxyConfig) -> None:
        self._config = config
        self._backend = Backend(config.access)
        self._newest_minor = newest_minor(config.server_version)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._tls.load_cert_chain(config.certificate, config.key)
        if config.server_version >= FIRST_VERSION_WITH_DIRECT_TLS:
            self._tls.set_alpn_protocols([ALPN])
        self._connections: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Begin to serve."""
        self._listener = socket.create_server((HOST, self._config.port), backlog=LISTEN_BACKLOG)
        # Accepted sockets inherit the option. asyncio does not set it: their protocol number is 0.
        self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self._listener.setblocking(False)
        self._accepting = asyncio.create_task(self._accept())

    async def close(self) -> None:
        """Refuse new connections and end the open ones."""
        tasks = [self._accepting, *self._connections]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listener.close()
        self._backend.close()

    async def _accept(self) -> None:
        while True:
            try:
                connection, _ = await asyncio.get_running_loop().sock_accept(self._listener)
            except OSError as error:  # for example too many open files, until some are closed
                self._log(f"could not accept a connection: {error!r}")
                await asyncio.sleep(ACCEPT_RETRY_SECONDS)
                continue
            serving = asyncio.create_task(self._serve(connection))
            self._connections.add(serving)
            serving.add_done_callback(self._connections.discard)

    async def _serve(self, connection: socket.socket) -> None:
        """Serve one connection. An error ends this connection only."""
        negotiation = Negotiation(connection, self._tls, version=self._config.server_version)
        try:
            async with asyncio.timeout(self._config.login_timeout):
                client, request = await negotiation.run()
                server = await self._authenticate(request, client)
            if server is not None:
                await relay(client, server)
        except (*CONNECTION_ERRORS, ProtocolError) as error:
            self._log(f"dropped a connection: {error!r}")
        except asyncio.CancelledError:
            negotiation.abort()
            raise
        finally:
            with suppress(*CONNECTION_ERRORS):
                await negotiation.close()

    async def _authenticate(self, request: wire.Request, client: Stream) -> Stream | None:
        """Return the connection to the server to relay to, or None if there is nothing to relay."""
        if request.code == wire.CANCEL_REQUEST:
            await self._backend.cancel(request.packet)
            return None
        try:
            return await self._log_in(request, client)
        except LoginRejectedError as rejection:
            self._log(f"refused {rejection}")
            client[1].write(rejection.response)
            await client[1].drain()
            return None

    async def _log_in(self, request: wire.Request, client: Stream) -> Stream:
        if request.code in (wire.SSL_REQUEST, wire.GSSENC_REQUEST):
            raise repeated_encryption_request(request, self._newest_minor)
        try:
            startup = StartupMessage.read(request)
        except ProtocolError as error:
            return await self._forward_to_server(request, error)
        client[1].write(startup.negotiation(self._newest_minor))  # precedes all other messages of a server
        server = await self._connect_to_server(LoginRecord.create(startup, client[1]), client)
        server[1].write(startup.negotiated(self._newest_minor))
        return server

    async def _forward_to_server(self, request: wire.Request, error: ProtocolError) -> Stream:
        """Forward a malformed request, so that the client gets the server's own error message."""
        self._log(f"forwarded to the server, which rejects it: {error}")
        try:
            server = await self._backend.open_for_password()
        except ConnectionRefusedError as refusal:
            raise server_unavailable(None, refusal) from refusal
        server[1].write(request.packet)
        return server

    async def _connect_to_server(self, login: LoginRecord, client: Stream) -> Stream:
        """Return a connection to the server: a trusted one after a token, or one for the client's password."""
        if SUPERUSER in (login.user, login.database):
            raise rejected_by_hba(login)
        try:
            if self._config.iam and await self._backend.is_iam_role(login.user):
                await self._verify_token(login, client)
                return await self._backend.open_trusted(login.user)
            if self._config.force_ssl and not login.encrypted:
                raise not_in_hba(login)
            self._log(f"forwarded to the server, which requests a password: {login}")
            return await self._backend.open_for_password()
        except (psycopg2.Error, ConnectionRefusedError, FileNotFoundError) as error:
            raise server_unavailable(login, error) from error

    async def _verify_token(self, login: LoginRecord, client: Stream) -> None:
        """Request a token and verify it. Raises LoginRejectedError."""
        if not login.encrypted:
            raise rejected_by_hba(login)
        client[1].write(wire.REQUEST_PASSWORD)
        token = await wire.read_password(client[0])
        try:
            principal = await verifier_socket.verify(
                self._config.verifier, user=login.user, token=token, host=HOST, port=self._config.port
            )
        except AuthenticationError as reason:
            raise bad_token(login, reason) from reason
        self._log(f"accepted {login}: signed by {principal}")

    def _log(self, line: str) -> None:
        printable = line.encode("unicode_escape").decode()  # names of users and databases come from the client
        with Path(self._config.auth_log).open("a") as log:
            log.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f} {printable}\n")
