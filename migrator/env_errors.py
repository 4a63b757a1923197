"""Decide whether an env.py failed because it does not use the connection that it is given."""

from typing import Self

import psycopg2
import sqlalchemy as sa

ADVICE = "env.py must use the connection in config.attributes['connection'] and commit"

# What env.py asks for when it makes an engine by itself; `engine_from_config` without a URL raises KeyError('url').
_ENGINE_KEYS = {"url", "sqlalchemy.url", "engine", "connectable"}
_DRIVERS = {"aiopg", "asyncpg", "greenlet", "pg8000", "psycopg"}


class ForeignEngines:
    """Notices that an engine of env.py's own has tried to connect."""

    def __init__(self) -> None:
        self.have_connected = False

    def __enter__(self) -> Self:
        sa.event.listen(sa.Engine, "do_connect", self._do_connect)
        return self

    def __exit__(self, *_error: object) -> None:
        sa.event.remove(sa.Engine, "do_connect", self._do_connect)

    def _do_connect(self, *_arguments: object) -> None:
        self.have_connected = True


def is_about_connection(exc: BaseException, foreign: ForeignEngines) -> bool:
    """Return whether the error comes of an engine of env.py's own, or of taking the given connection for an engine."""
    match exc:
        case AttributeError():
            return isinstance(exc.obj, sa.Connection | sa.Transaction)
        case KeyError():
            return bool(exc.args) and exc.args[0] in _ENGINE_KEYS
        case ModuleNotFoundError():
            return exc.name in _DRIVERS
        case sa.exc.NoSuchModuleError() | sa.exc.OperationalError() | psycopg2.OperationalError():
            return True
        case sa.exc.ArgumentError():
            return "URL" in str(exc)
    return foreign.have_connected and isinstance(exc, OSError | sa.exc.SQLAlchemyError)
