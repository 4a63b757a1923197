"""The connections of the proxy to the server."""

import asyncio
import ssl
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg2

from localaws.certificates import CertificateAuthority
from localaws.constants import HOST
from localaws.postgres import SUPERUSER, ServerAccess
from localaws.rds.proxy.relay import Stream
from localaws.rds.proxy.wire import ACCEPT_TLS, SSL_REQUEST

IS_IAM_ROLE = "SELECT coalesce((SELECT pg_has_role(oid, 'rds_iam', 'USAGE') FROM pg_roles WHERE rolname = %s), false)"

# A busy server does not answer the end of TLS, and detects the end of the client only by the end of TCP.
TLS_SHUTDOWN_SECONDS = 0.2


class Backend:
    """Opens connections to the server."""

    def __init__(self, access: ServerAccess) -> None:
        self._access = access
        self._roles = _Roles(access)
        self._tls: dict[str, ssl.SSLContext] = {}

    async def is_iam_role(self, user: str) -> bool:
        """Return whether the role logs in by token, which is: inherits the privileges of rds_iam.

        A role with the ADMIN option only does not. Raises psycopg2.Error while the server is not available.
        """
        return _is_utf8(user) and await self._roles.is_iam_role(user)

    async def open_for_password(self) -> Stream:
        """Open a connection on which the server requests a password."""
        return await asyncio.open_connection(HOST, self._access.password_port)

    async def open_trusted(self, user: str) -> Stream:
        """Open a connection on which the server accepts the role `user` without a password."""
        if self._access.client_certificates is None:
            folder, port = self._access.trusted["host"], self._access.trusted["port"]
            return await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{port}")
        reader, writer = await self.open_for_password()
        writer.write(struct.pack("!II", 8, SSL_REQUEST))
        if await reader.readexactly(1) != ACCEPT_TLS:
            writer.close()
            raise ConnectionError("the server does not support TLS")
        await writer.start_tls(
            self._tls_as(user, Path(self._access.client_certificates)),
            server_hostname=HOST,
            ssl_shutdown_timeout=TLS_SHUTDOWN_SECONDS,
        )
        return reader, writer

    async def cancel(self, packet: bytes) -> None:
        """Send a cancel request, and wait until the server has read it: libpq relies on that."""
        reader, writer = await self.open_for_password()
        try:
            writer.write(packet)
            await reader.read(1)
        finally:
            writer.close()

    def close(self) -> None:
        """Close the connection for questions about roles."""
        self._roles.close()

    def _tls_as(self, user: str, folder: Path) -> ssl.SSLContext:
        if user not in self._tls:
            authority = CertificateAuthority(folder)
            context = ssl.create_default_context(cafile=authority.ca_path)
            context.load_cert_chain(*authority.issue_client(user))
            self._tls[user] = context
        return self._tls[user]


def _is_utf8(name: str) -> bool:
    """Return whether a role can have this name: the databases are in UTF-8."""
    return not any("\udc80" <= character <= "\udcff" for character in name)


class _Roles:
    """Queries the server about roles, on one connection and in one thread: psycopg2 blocks, and asyncio must not."""

    def __init__(self, access: ServerAccess) -> None:
        self._access = access
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="roles")
        self._connection: Any = None

    async def is_iam_role(self, user: str) -> bool:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._query_with_retry, user)

    def close(self) -> None:
        self._thread.submit(self._disconnect)
        self._thread.shutdown(wait=False)

    def _query_with_retry(self, user: str) -> bool:
        """Query, and query again on a new connection if a restart of the server has ended the old connection."""
        if self._connection is not None:
            try:
                return self._query(user)
            except psycopg2.Error:
                self._disconnect()
        self._connection = self._access.connect(SUPERUSER)
        return self._query(user)

    def _query(self, user: str) -> bool:
        with self._connection.cursor() as cursor:
            cursor.execute(IS_IAM_ROLE, (user,))
            return bool(cursor.fetchone()[0])

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
