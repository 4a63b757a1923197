"""Convert exceptions of the driver to errors of this package, which tell whether another try may succeed."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2

from migrator.dump_advice import dump_advice
from migrator.errors import ConnectionLostError, LockNotAvailableError, MigratorError, UpgradeError
from rds_iam.errors import RdsIamError

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_LOCK_NOT_AVAILABLE = "55P03"
_QUERY_CANCELED = "57014"
_SHUTDOWNS = ("57P01", "57P02", "57P03")  # admin_shutdown, crash_shutdown, cannot_connect_now
_CONNECTION_EXCEPTIONS = "08"
_OTHER_OWNER = re.compile(r"42501: (must be owner of|permission denied for (table|schema|sequence|view|relation)) ")


@contextmanager
def wrap_database_errors(title: str) -> Iterator[None]:
    """Raise UpgradeError, or one of its kinds, for any exception of the block. Its message begins with `title`."""
    try:
        yield
    except (MigratorError, RdsIamError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as exc:  # SystemExit, too: the user's code must not end the function
        if lost := next(filter(_is_lost, _driver_errors(exc)), None):
            raise ConnectionLostError(f"{title}: {server_message(lost)}") from exc
        raise _upgrade_error(title, exc) from exc


def format_error(exc: BaseException) -> str:
    """Return the SQLSTATE and the server's message, or the type and text of an exception of other origin.

    Adds advice to an error that the output of pg_dump, or an object of another owner, causes.
    """
    error = _driver_error(exc)
    if error is None:
        return f"{type(exc).__name__}: {exc}"
    message = server_message(error)
    advice = dump_advice(message, str(getattr(exc, "statement", None) or "")) or _ownership_advice(message)
    return f"{message}; {advice}" if advice else message


def is_canceled(exc: BaseException) -> bool:
    """Return whether a canceled statement caused the exception."""
    return any(error.pgcode == _QUERY_CANCELED for error in _driver_errors(exc))


def has_sqlstate(exc: BaseException) -> bool:
    """Return whether an error of the server caused the exception."""
    return any(error.pgcode is not None for error in _driver_errors(exc))


def _ownership_advice(message: str) -> str | None:
    if not _OTHER_OWNER.match(message):
        return None
    return "if a role of before owns it, deploy with -c hand-over-from=ROLE (docs/adopting.md)"


def _upgrade_error(title: str, exc: BaseException) -> UpgradeError:
    error = _driver_error(exc)
    is_lock = error is not None and error.pgcode == _LOCK_NOT_AVAILABLE
    kind = LockNotAvailableError if is_lock else UpgradeError
    return kind(f"{title}: {format_error(exc)}")


def _driver_errors(exc: BaseException | None) -> Iterator[psycopg2.Error]:
    """Yield the errors of the driver among an exception and its causes.

    A broken connection raises further exceptions when it is cleaned up.
    """
    while exc is not None:
        if error := _driver_error(exc):
            yield error
        exc = exc.__cause__ or exc.__context__


def _driver_error(exc: BaseException) -> psycopg2.Error | None:
    original = getattr(exc, "orig", exc)  # SQLAlchemy wraps the exceptions of the driver
    return original if isinstance(original, psycopg2.Error) else None


def _is_lost(exc: psycopg2.Error) -> bool:
    if exc.pgcode is None:
        # libpq has no SQLSTATE for a broken connection, and psycopg2 has no SQLSTATE for a closed one.
        return isinstance(exc, psycopg2.OperationalError | psycopg2.InterfaceError)
    return exc.pgcode in _SHUTDOWNS or exc.pgcode.startswith(_CONNECTION_EXCEPTIONS)


def server_message(exc: psycopg2.Error) -> str:
    """Return the SQLSTATE and the server's message, without advice."""
    message = exc.diag.message_primary or " ".join(str(exc).split())
    return f"{exc.pgcode or 'no SQLSTATE'}: {message}"
