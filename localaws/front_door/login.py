"""Who wants in, and how a login is turned away, in the words of PostgreSQL and RDS."""

from asyncio import StreamWriter
from dataclasses import dataclass
from typing import Self

from localaws.front_door import wire
from localaws.front_door.startup import StartupMessage


@dataclass(frozen=True)
class Login:
    """Who wants in, from where and how."""

    user: str
    database: str
    peer: str
    encrypted: bool

    @classmethod
    def of(cls, startup: StartupMessage, client: StreamWriter) -> Self:
        """Return the login that a client asks for."""
        return cls(
            user=startup.user,
            database=startup.database,
            peer=client.get_extra_info("peername")[0],
            encrypted=is_encrypted(client),
        )

    def __str__(self) -> str:
        encryption = "SSL encryption" if self.encrypted else "no encryption"
        return f'host "{self.peer}", user "{self.user}", database "{self.database}", {encryption}'


class Rejected(Exception):  # noqa: N818 - says what became of the login
    """A login is turned away, with what the client is told and the reason, which only the log is told."""

    def __init__(self, sqlstate: str, message: str, reason: str | None = None) -> None:
        self.answer = wire.fatal(sqlstate, message)
        super().__init__(reason or message)


def rejected_by_hba(login: Login) -> Rejected:
    """Return the rejection of somebody who may never come in this way."""
    return Rejected(wire.INVALID_AUTHORIZATION, f"pg_hba.conf rejects connection for {login}")


def not_in_hba(login: Login) -> Rejected:
    """Return the rejection of somebody who did not encrypt where that is forced."""
    return Rejected(wire.INVALID_AUTHORIZATION, f"no pg_hba.conf entry for {login}")


def bad_token(login: Login, reason: Exception) -> Rejected:
    """Return the rejection of a token: why stays between us and the log."""
    message = f'PAM authentication failed for user "{login.user}"'
    return Rejected(wire.INVALID_AUTHORIZATION, message, f"{login}: {reason}")


def server_unavailable(login: Login, error: Exception) -> Rejected:
    """Return the rejection while the server behind the door is not there."""
    return Rejected(wire.CANNOT_CONNECT_NOW, "the database system is starting up", f"{login}: {error}")


def asked_again(request: wire.Request, newest_minor: int) -> Rejected:
    """Return the rejection of a request for encryption where the server takes no more of them."""
    version = f"{request.code >> 16}.{request.code & 0xFFFF}"
    message = f"unsupported frontend protocol {version}: server supports 3.0 to 3.{newest_minor}"
    return Rejected(wire.FEATURE_NOT_SUPPORTED, message)


def is_encrypted(client: StreamWriter) -> bool:
    """Say whether the client speaks TLS with us."""
    return client.get_extra_info("ssl_object") is not None
