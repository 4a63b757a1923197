"""From a driver's exception to an error that says what failed, and whether trying again makes sense."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2

from migrator.dump_advice import dump_advice
from migrator.errors import ConnectionLostError, LockNotAvailableError, MigratorError, UpgradeError
from rds_iam.errors import RdsIamError

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_LOCK_NOT_AVAILABLE = "55P03"
_QUERY_CANCELED = "57014"
_SERVER_GOES_AWAY = ("57P01", "57P02", "57P03")  # admin_shutdown, crash_shutdown, cannot_connect_now
_CONNECTION_EXCEPTIONS = "08"


@contextmanager
def wrap_database_errors(what: str) -> Iterator[None]:
    """Raise UpgradeError, or one of its kinds, for whatever the block raises; a revision may raise anything."""
    try:
        yield
    except (MigratorError, RdsIamError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as exc:  # SystemExit, too: the user's code must not end the function
        errors = [error for error in map(_drivers, _chain(exc)) if error]
        if lost := next(filter(_is_lost, errors), None):
            raise ConnectionLostError(f"{what}: {_words(lost)}") from exc
        raise _upgrade_error(what, exc) from exc


def format_error(exc: BaseException) -> str:
    """Return the SQLSTATE and the server's words, or for an error that is not the driver's, its type and text.

    Adds what to change where the error is one that the output of pg_dump is known for.
    """
    error = _drivers(exc)
    if error is None:
        return f"{type(exc).__name__}: {exc}"
    words = _words(error)
    advice = dump_advice(words, str(getattr(exc, "statement", None) or ""))
    return f"{words}; {advice}" if advice else words


def is_canceled(exc: BaseException) -> bool:
    """Return whether the error comes of a statement that was canceled."""
    return any(error.pgcode == _QUERY_CANCELED for error in map(_drivers, _chain(exc)) if error)


def has_sqlstate(exc: BaseException) -> bool:
    """Tell whether a server answered with an error, which says by itself what it is."""
    return any(error.pgcode is not None for error in map(_drivers, _chain(exc)) if error)


def _upgrade_error(what: str, exc: BaseException) -> UpgradeError:
    error = _drivers(exc)
    is_lock = error is not None and error.pgcode == _LOCK_NOT_AVAILABLE
    kind = LockNotAvailableError if is_lock else UpgradeError
    return kind(f"{what}: {format_error(exc)}")


def _chain(exc: BaseException | None) -> Iterator[BaseException]:
    """Give the exception and those it came of: on a broken connection, cleaning up raises others on top."""
    while exc is not None:
        yield exc
        exc = exc.__cause__ or exc.__context__


def _drivers(exc: BaseException) -> psycopg2.Error | None:
    original = getattr(exc, "orig", exc)  # SQLAlchemy wraps the driver's exceptions
    return original if isinstance(original, psycopg2.Error) else None


def _is_lost(exc: psycopg2.Error) -> bool:
    if exc.pgcode is None:
        # libpq has no SQLSTATE for a connection that broke; the driver has none for one it has closed.
        return isinstance(exc, psycopg2.OperationalError | psycopg2.InterfaceError)
    return exc.pgcode in _SERVER_GOES_AWAY or exc.pgcode.startswith(_CONNECTION_EXCEPTIONS)


def _words(exc: psycopg2.Error) -> str:
    words = exc.diag.message_primary or " ".join(str(exc).split())
    return f"{exc.pgcode or 'no SQLSTATE'}: {words}"
