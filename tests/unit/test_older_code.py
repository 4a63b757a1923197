"""The decision about code that is older than the database."""

import pytest

from migrator.decision import Decision
from migrator.errors import HistoryError
from migrator.manifest import Manifest
from tests.unit.histories import ABC, EMPTY, chain, decision, log_of, manifest, rejection


@pytest.mark.parametrize("old", [(), ("a", "b", "c"), ("a", "b")], ids=["first", "one back", "two back"])
def test_older_code_is_rejected_unless_the_user_allows_it(old: tuple[str, ...]) -> None:
    code = manifest(chain("a"))
    error = rejection("c", code, log_of(ABC), old=old)
    assert "ahead by b (applied 2026-11-20 04:00 UTC), c (applied 2026-11-20 04:00 UTC)" in error
    assert "-c allow-ahead=c" in error
    assert decision("c", code, log_of(ABC), old=old, allow=("c",)) is Decision.STAY_AHEAD


def test_the_permission_to_stay_ahead_holds_only_for_the_revision_that_it_names() -> None:
    with pytest.raises(HistoryError, match="allow-ahead=c"):
        decision("c", manifest(chain("a")), log_of(ABC), allow=("b",))


def test_older_code_is_recognised_without_a_log_by_the_previous_deployment() -> None:
    assert "-c allow-ahead=c" in rejection("c", manifest(chain("a")), EMPTY, old=("a", "b", "c"))


def test_a_deployment_with_the_revisions_of_the_previous_one_stays_ahead() -> None:
    assert decision("c", manifest(chain("a", "b")), log_of(ABC), old=("a", "b")) is Decision.STAY_AHEAD


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (manifest(chain("a", "b"), edited=["a"]), "applied revisions were edited: a"),
        (manifest(chain("x", "a", "b")), "Never applied: x."),
    ],
    ids=["edited", "inserted"],
)
def test_older_code_whose_applied_revisions_were_changed_is_rejected(code: Manifest, words: str) -> None:
    for allow, old in [(("c",), ()), ((), ("a", "b"))]:
        with pytest.raises(HistoryError) as error:
            decision("c", code, log_of(ABC), allow=allow, old=old)
        assert words in str(error.value)
        assert "baseline" not in str(error.value)  # a baseline would move the database back


def test_newer_code_is_applied_after_older_code() -> None:
    assert decision("c", manifest(chain("a", "b", "c", "d")), log_of(ABC), old=("a",)) is Decision.UPGRADE
