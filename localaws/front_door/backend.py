"""The server behind the front door: asking it about roles, and opening connections to it for clients."""

import asyncio
import ssl
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg2

from localaws.certificates import Certificates
from localaws.front_door.entrance import HOST, SUPERUSER, Entrance
from localaws.front_door.relay import Stream
from localaws.front_door.wire import ACCEPT_TLS, SSL_REQUEST

IS_IAM_ROLE = "SELECT coalesce((SELECT pg_has_role(oid, 'rds_iam', 'USAGE') FROM pg_roles WHERE rolname = %s), false)"

# A server that is busy does not answer the end of TLS, and notices that the client has gone only when TCP ends.
TLS_SHUTDOWN_SECONDS = 0.2


class Backend:
    """Opens connections to the server."""

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance
        self._roles = _Roles(entrance)
        self._tls: dict[str, ssl.SSLContext] = {}

    async def is_iam_role(self, user: str) -> bool:
        """Say whether this role logs in by token: an inheriting member of rds_iam does, its administrator does not.

        Raises psycopg2.Error while the server cannot be asked.
        """
        return _is_utf8(user) and await self._roles.is_iam_role(user)

    async def open_for_password(self) -> Stream:
        """Open a connection on which the server will ask for a password."""
        return await asyncio.open_connection(HOST, self._entrance.password_port)

    async def open_trusted(self, user: str) -> Stream:
        """Open a connection on which the server takes our word that this is `user`."""
        if self._entrance.client_certificates is None:
            folder, port = self._entrance.trusted["host"], self._entrance.trusted["port"]
            return await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{port}")
        reader, writer = await self.open_for_password()
        writer.write(struct.pack("!II", 8, SSL_REQUEST))
        if await reader.readexactly(1) != ACCEPT_TLS:
            writer.close()
            raise ConnectionError("the server behind the front door does no TLS")
        await writer.start_tls(
            self._tls_as(user, Path(self._entrance.client_certificates)),
            server_hostname=HOST,
            ssl_shutdown_timeout=TLS_SHUTDOWN_SECONDS,
        )
        return reader, writer

    async def cancel(self, packet: bytes) -> None:
        """Hand a request to cancel on, and wait until the server has taken it: libpq relies on that."""
        reader, writer = await self.open_for_password()
        try:
            writer.write(packet)
            await reader.read(1)
        finally:
            writer.close()

    def _tls_as(self, user: str, certificates: Path) -> ssl.SSLContext:
        if user not in self._tls:
            authority = Certificates(certificates)
            context = ssl.create_default_context(cafile=authority.ca_path)
            context.load_cert_chain(*authority.issue_client(user))
            self._tls[user] = context
        return self._tls[user]


def _is_utf8(name: str) -> bool:
    """Say whether a role can have this name: in a database in UTF-8 none has other bytes."""
    return not any("\udc80" <= character <= "\udcff" for character in name)


class _Roles:
    """Asks the server about roles, on one connection, in one thread: psycopg2 waits where asyncio must not."""

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="roles")
        self._connection: Any = None

    async def is_iam_role(self, user: str) -> bool:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._ask_twice, user)

    def _ask_twice(self, user: str) -> bool:
        """Ask, and again on a new connection: a restart of the server has cut the old one."""
        if self._connection is not None:
            try:
                return self._ask(user)
            except psycopg2.Error:
                self._connection.close()
                self._connection = None
        self._connection = self._entrance.connect(SUPERUSER)
        return self._ask(user)

    def _ask(self, user: str) -> bool:
        with self._connection.cursor() as cursor:
            cursor.execute(IS_IAM_ROLE, (user,))
            return bool(cursor.fetchone()[0])
