"""The function's loggers are the same after env.py has configured logging in any way."""

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
def test_loggers_are_restored_after_env_py_has_configured_logging(
    configure: Callable[[Path], None], logger: logging.Logger, tmp_path: Path
) -> None:
    root = logging.getLogger()

    def state() -> list[object]:
        return [
            [each.level, list(each.handlers), list(each.filters), each.propagate, each.disabled, each.isEnabledFor(20)]
            for each in (root, logger)
        ]

    before = state()
    saved = SavedLoggers()
    for _ in range(2):
        with saved:
            configure(tmp_path)
            saved.enable()
            assert not logger.disabled
        assert state() == before


def test_a_disabled_logger_stays_disabled(logger: logging.Logger, tmp_path: Path) -> None:
    logger.disabled = True
    with SavedLoggers() as saved:
        file_config(tmp_path)
        saved.enable()
        assert logger.disabled
    assert logger.disabled
    logger.disabled = False
