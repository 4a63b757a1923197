"""The README names every command and every setting."""

import re
from pathlib import Path

import pytest

from infra.context import CONTEXT_KEYS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def make_targets() -> list[str]:
    return re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)


def local_variables() -> list[str]:
    sources = [path.read_text() for path in (ROOT / "localaws").rglob("*.py")]
    return sorted({name for source in sources for name in re.findall(r'"(LOCALAWS_POSTGRES[A-Z_]*)"', source)})


def function_variables() -> list[str]:
    sources = [
        path.read_text() for package in ("rds_iam", "migrator", "querier") for path in (ROOT / package).glob("*.py")
    ]
    return sorted({name for source in sources for name in re.findall(r'"(PG[A-Z]+|MASTER_SECRET_ARN)"', source)})


@pytest.mark.parametrize("target", make_targets())
def test_the_readme_names_every_make_target(target: str) -> None:
    assert f"`make {target}`" in README


@pytest.mark.parametrize("name", [*CONTEXT_KEYS, *function_variables(), *local_variables()])
def test_the_readme_names_every_setting(name: str) -> None:
    assert f"`{name}`" in README


def test_the_lists_are_not_empty() -> None:
    assert len(make_targets()) > 8
    assert len(function_variables()) > 5
    assert local_variables()
