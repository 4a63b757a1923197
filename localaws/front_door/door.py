"""Lead clients through their login, and say in the log what became of each."""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import psycopg2

from localaws.errors import Refused
from localaws.front_door import authority_line, wire
from localaws.front_door.backend import Backend
from localaws.front_door.entrance import HOST, SUPERUSER, Entrance
from localaws.front_door.login import (
    Login,
    Rejected,
    asked_again,
    bad_token,
    not_in_hba,
    rejected_by_hba,
    server_unavailable,
)
from localaws.front_door.negotiation import ALPN, FIRST_VERSION_WITH_DIRECT_TLS, Negotiation
from localaws.front_door.relay import Stream, relay
from localaws.front_door.startup import StartupMessage, newest_minor

WAITING_CLIENTS = 512
PAUSE_SECONDS = 0.5
LOST = (OSError, EOFError, TimeoutError, ssl.SSLError)  # what becomes of connections


@dataclass(frozen=True)
class Order:
    """What a front door is asked to be. `authority` and `auth_log` are paths, `login_seconds` what a login may take."""

    entrance: Entrance
    port: int
    server_version: int
    certificate: str
    key: str
    authority: str
    auth_log: str
    iam: bool
    force_ssl: bool
    login_seconds: float

    @classmethod
    def from_json(cls, order: Mapping[str, Any]) -> Self:
        """Read what `dataclasses.asdict` made."""
        return cls(**{**order, "entrance": Entrance(**order["entrance"])})


class FrontDoor:
    """Serves clients on a port of the loopback address."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._backend = Backend(order.entrance)
        self._newest_minor = newest_minor(order.server_version)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._tls.load_cert_chain(order.certificate, order.key)
        if order.server_version >= FIRST_VERSION_WITH_DIRECT_TLS:
            self._tls.set_alpn_protocols([ALPN])
        self._connections: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Begin to serve."""
        listener = socket.create_server((HOST, self._order.port), backlog=WAITING_CLIENTS)
        # Accepted sockets inherit the option. asyncio does not set it: their protocol number is 0.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        listener.setblocking(False)
        self._accepting = asyncio.create_task(self._accept(listener))

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = await asyncio.get_running_loop().sock_accept(listener)
            except OSError as error:  # say, too many open files: some are closed soon
                self._log(f"could not accept a connection: {error!r}")
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            serving = asyncio.create_task(self._serve(connection))
            self._connections.add(serving)
            serving.add_done_callback(self._connections.discard)

    async def _serve(self, connection: socket.socket) -> None:
        """Serve one connection; whatever happens in it, it ends here."""
        negotiation = Negotiation(connection, self._tls, version=self._order.server_version)
        try:
            async with asyncio.timeout(self._order.login_seconds):
                client, request = await negotiation.run()
                server = await self._admit(request, client)
            if server is not None:
                await relay(client, server)
        except (*LOST, wire.Malformed) as error:
            self._log(f"dropped a connection: {error!r}")
        finally:
            with suppress(*LOST):
                await negotiation.close()

    async def _admit(self, request: wire.Request, client: Stream) -> Stream | None:
        """Lead a client through its login; return the connection to relay it to, if there is to be one."""
        if request.code == wire.CANCEL_REQUEST:
            await self._backend.cancel(request.packet)
            return None
        try:
            return await self._log_in(request, client)
        except Rejected as rejection:
            self._log(f"refused {rejection}")
            client[1].write(rejection.answer)
            await client[1].drain()
            return None

    async def _log_in(self, request: wire.Request, client: Stream) -> Stream:
        if request.code in (wire.SSL_REQUEST, wire.GSSENC_REQUEST):
            raise asked_again(request, self._newest_minor)
        try:
            startup = StartupMessage.read(request)
        except wire.Malformed as error:
            return await self._leave_to_server(request, error)
        client[1].write(startup.negotiation(self._newest_minor))  # comes before everything else that a server says
        server = await self._decide(Login.of(startup, client[1]), client)
        server[1].write(startup.agreed(self._newest_minor))
        return server

    async def _leave_to_server(self, request: wire.Request, error: wire.Malformed) -> Stream:
        """Let the server say what is wrong with a request, in its own words."""
        self._log(f"left to the server, which refuses it: {error}")
        try:
            server = await self._backend.open_for_password()
        except ConnectionRefusedError as refusal:
            raise Rejected(wire.CANNOT_CONNECT_NOW, "the database system is starting up", str(refusal)) from refusal
        server[1].write(request.packet)
        return server

    async def _decide(self, login: Login, client: Stream) -> Stream:
        """Return a connection to the server that lets this login in, or lets it try its password."""
        if SUPERUSER in (login.user, login.database):
            raise rejected_by_hba(login)
        try:
            if self._order.iam and await self._backend.is_iam_role(login.user):
                await self._check_token(login, client)
                return await self._backend.open_trusted(login.user)
            if self._order.force_ssl and not login.encrypted:
                raise not_in_hba(login)
            self._log(f"left to the server, which asks for a password: {login}")
            return await self._backend.open_for_password()
        except (psycopg2.Error, ConnectionRefusedError, FileNotFoundError) as error:
            raise server_unavailable(login, error) from error

    async def _check_token(self, login: Login, client: Stream) -> None:
        """Let the authority decide about a token; raise Rejected if it is refused."""
        if not login.encrypted:
            raise rejected_by_hba(login)
        client[1].write(wire.ASK_FOR_PASSWORD)
        token = await wire.read_password(client[0])
        try:
            principal = await authority_line.ask(
                self._order.authority, user=login.user, token=token, host=HOST, port=self._order.port
            )
        except Refused as reason:
            raise bad_token(login, reason) from reason
        self._log(f"accepted {login}: signed by {principal}")

    def _log(self, line: str) -> None:
        printable = line.encode("unicode_escape").decode()  # names come from outside
        with Path(self._order.auth_log).open("a") as log:
            log.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f} {printable}\n")
