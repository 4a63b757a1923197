"""Save the function's loggers, and restore them after env.py has configured logging.

`fileConfig` disables every logger that its file does not name, and replaces the handlers of the root logger. Alembic's
template calls it without `disable_existing_loggers=False`.
"""

import logging
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

type _State = tuple[logging.Logger, int, list[logging.Handler], list[Any], bool]


class SavedLoggers(AbstractContextManager["SavedLoggers"]):
    """Restores the saved loggers at the end of a block. May be entered more than once."""

    def __init__(self) -> None:
        self._root = logging.getLogger()
        self._states = [_state(logger) for logger in (self._root, *_loggers())]
        self._threshold = self._root.manager.disable
        self._enabled: list[logging.Logger] = []

    def __enter__(self) -> "SavedLoggers":
        self._enabled = [logger for logger in _loggers() if not logger.disabled]
        return self

    def enable(self) -> None:
        """Enable the loggers that env.py has disabled. Its other changes last until the end of the block."""
        for logger in self._enabled:
            logger.disabled = False

    def __exit__(self, *_error: object) -> None:
        self.enable()
        for state in self._states:
            _restore(state)
        logging.disable(self._threshold)  # also makes all loggers compute their levels again


def _loggers() -> Iterable[logging.Logger]:
    return [each for each in logging.root.manager.loggerDict.values() if isinstance(each, logging.Logger)]


def _state(logger: logging.Logger) -> _State:
    return logger, logger.level, [*logger.handlers], [*logger.filters], logger.propagate


def _restore(state: _State) -> None:
    logger, level, handlers, filters, propagate = state
    logger.level = level
    logger.handlers[:] = handlers
    logger.filters[:] = filters
    logger.propagate = propagate
