"""The record of a login, and the errors of rejected logins in the words of PostgreSQL and RDS."""

from asyncio import StreamWriter
from dataclasses import dataclass
from typing import Self

from localaws.errors import LoginRejectedError
from localaws.rds.proxy import wire
from localaws.rds.proxy.startup import StartupMessage


@dataclass(frozen=True)
class LoginRecord:
    """The user, the database, the client's address and the encryption of a login."""

    user: str
    database: str
    peer: str
    encrypted: bool

    @classmethod
    def create(cls, startup: StartupMessage, client: StreamWriter) -> Self:
        """Return the record of a client's login."""
        return cls(
            user=startup.user,
            database=startup.database,
            peer=client.get_extra_info("peername")[0],
            encrypted=client.get_extra_info("ssl_object") is not None,
        )

    def __str__(self) -> str:
        encryption = "SSL encryption" if self.encrypted else "no encryption"
        return f'host "{self.peer}", user "{self.user}", database "{self.database}", {encryption}'


def rejected_by_hba(login: LoginRecord) -> LoginRejectedError:
    """Return the error for a login that a line of pg_hba.conf rejects."""
    return _rejection(wire.INVALID_AUTHORIZATION, f"pg_hba.conf rejects connection for {login}")


def not_in_hba(login: LoginRecord) -> LoginRejectedError:
    """Return the error for a login without encryption where encryption is required."""
    return _rejection(wire.INVALID_AUTHORIZATION, f"no pg_hba.conf entry for {login}")


def bad_token(login: LoginRecord, reason: Exception) -> LoginRejectedError:
    """Return the error for a token. The client does not get the reason."""
    message = f'PAM authentication failed for user "{login.user}"'
    return _rejection(wire.INVALID_AUTHORIZATION, message, f"{login}: {reason}")


def server_unavailable(login: LoginRecord | None, error: Exception) -> LoginRejectedError:
    """Return the error for a login while the server is not available."""
    reason = f"{login}: {error}" if login else str(error)
    return _rejection(wire.CANNOT_CONNECT_NOW, "the database system is starting up", reason)


def repeated_encryption_request(request: wire.Request, newest_minor: int) -> LoginRejectedError:
    """Return the error for a request for encryption after the encryption is settled."""
    version = f"{request.code >> 16}.{request.code & 0xFFFF}"
    message = f"unsupported frontend protocol {version}: server supports 3.0 to 3.{newest_minor}"
    return _rejection(wire.FEATURE_NOT_SUPPORTED, message)


def _rejection(sqlstate: str, message: str, reason: str | None = None) -> LoginRejectedError:
    return LoginRejectedError(wire.fatal(sqlstate, message), reason or message)
