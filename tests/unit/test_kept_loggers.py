"""The function's loggers are the same after an env.py, however it configures logging."""

import logging
import logging.config
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from migrator.loggers import SavedLoggers

INI = """\
[loggers]
keys = root
[handlers]
keys =
[formatters]
keys =
[logger_root]
level = CRITICAL
handlers =
"""


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("a function's logger")
    logger.setLevel(logging.INFO)
    handler = logging.NullHandler()
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)


def file_config(folder: Path) -> None:
    (folder / "logging.ini").write_text(INI)
    logging.config.fileConfig(folder / "logging.ini")


def change_by_hand(_folder: Path) -> None:
    logger = logging.getLogger("a function's logger")
    logger.handlers.clear()
    logger.addFilter(lambda _record: False)
    logger.setLevel(logging.CRITICAL)
    logger.propagate = not logger.propagate


@pytest.mark.parametrize(
    "configure",
    [
        file_config,
        lambda _folder: logging.config.dictConfig({"version": 1, "root": {"level": "CRITICAL"}}),
        lambda _folder: logging.basicConfig(force=True, level=logging.CRITICAL),
        lambda _folder: logging.disable(logging.CRITICAL),
        change_by_hand,
    ],
    ids=["fileConfig", "dictConfig", "basicConfig", "disable", "by hand"],
)
def test_loggers_are_restored(configure: Callable[[Path], None], logger: logging.Logger, tmp_path: Path) -> None:
    root = logging.getLogger()

    def state() -> list[object]:
        return [
            [each.level, list(each.handlers), list(each.filters), each.propagate, each.disabled, each.isEnabledFor(20)]
            for each in (root, logger)
        ]

    before = state()
    kept = SavedLoggers()
    for _ in range(2):
        with kept:
            configure(tmp_path)
            kept.enable()
            assert not logger.disabled
        assert state() == before


def test_a_logger_that_was_disabled_stays_so(logger: logging.Logger, tmp_path: Path) -> None:
    logger.disabled = True
    with SavedLoggers() as kept:
        file_config(tmp_path)
        kept.enable()
        assert logger.disabled
    assert logger.disabled
    logger.disabled = False
