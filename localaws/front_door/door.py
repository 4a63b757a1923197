"""Lead clients through their login, and say in the log what became of each."""

import asyncio
import ssl
from asyncio import StreamReader, StreamWriter
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
    bad_token,
    is_encrypted,
    not_in_hba,
    rejected_by_hba,
    server_unavailable,
)
from localaws.front_door.relay import Stream, relay

WAITING_CLIENTS = 512
LOST = (OSError, EOFError, TimeoutError, ssl.SSLError)  # what becomes of connections


@dataclass(frozen=True)
class Order:
    """What a front door is asked to be. `authority` and `auth_log` are paths, `login_seconds` what a login may take."""

    entrance: Entrance
    port: int
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
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._tls.load_cert_chain(order.certificate, order.key)

    async def open(self) -> None:
        """Begin to serve."""
        port = self._order.port
        self._server = await asyncio.start_server(self._serve, HOST, port, backlog=WAITING_CLIENTS, reuse_address=True)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Serve one connection; whatever happens in it, it ends here."""
        try:
            async with asyncio.timeout(self._order.login_seconds):
                server = await self._admit(reader, writer)
            if server is not None:
                await relay((reader, writer), server)
        except (*LOST, wire.Malformed) as error:
            self._log(f"dropped a connection: {error!r}")
        finally:
            writer.close()
            with suppress(*LOST):
                await writer.wait_closed()

    async def _admit(self, reader: StreamReader, writer: StreamWriter) -> Stream | None:
        """Lead a client through its login; return the connection to relay it to, if there is to be one."""
        request = await self._negotiate(reader, writer)
        if request.code == wire.CANCEL_REQUEST:
            await self._backend.cancel(request.packet)
            return None
        try:
            server = await self._decide(Login.read(request, writer), reader, writer)
        except Rejected as rejection:
            self._log(f"refused {rejection}")
            writer.write(rejection.answer)
            await writer.drain()
            return None
        server[1].write(request.packet)
        return server

    async def _negotiate(self, reader: StreamReader, writer: StreamWriter) -> wire.Request:
        """Answer requests for encryption until there is one for something else."""
        while True:
            request = await wire.read_request(reader)
            if request.code == wire.SSL_REQUEST and not is_encrypted(writer):
                if await _has_more(reader):
                    raise wire.Malformed("received unencrypted data after SSL request")
                writer.write(wire.ACCEPT_TLS)
                await writer.start_tls(self._tls)
            elif request.code == wire.GSSENC_REQUEST and not is_encrypted(writer):
                writer.write(wire.DECLINE_GSSENC)
            else:
                return request

    async def _decide(self, login: Login, reader: StreamReader, writer: StreamWriter) -> Stream:
        """Return a connection to the server that lets this login in, or lets it try its password."""
        if SUPERUSER in (login.user, login.database):
            raise rejected_by_hba(login)
        try:
            if self._order.iam and await self._backend.is_iam_role(login.user):
                await self._check_token(login, reader, writer)
                return await self._backend.open_trusted(login.user)
            if self._order.force_ssl and not login.encrypted:
                raise not_in_hba(login)
            self._log(f"left to the server, which asks for a password: {login}")
            return await self._backend.open_for_password()
        except (psycopg2.Error, ConnectionRefusedError, FileNotFoundError) as error:
            raise server_unavailable(login, error) from error

    async def _check_token(self, login: Login, reader: StreamReader, writer: StreamWriter) -> None:
        """Let the authority decide about a token; raise Rejected if it is refused."""
        if not login.encrypted:
            raise rejected_by_hba(login)
        writer.write(wire.ASK_FOR_PASSWORD)
        token = await wire.read_password(reader)
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


async def _has_more(reader: StreamReader) -> bool:
    """Say whether bytes have arrived already: sent before encryption, they must not pass for encrypted ones."""
    with suppress(TimeoutError):
        async with asyncio.timeout(0):
            return bool(await reader.read(1))
    return False
