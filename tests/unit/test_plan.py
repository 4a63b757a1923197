import pytest

from migrator.errors import UnknownRevisionError
from migrator.events import UpgradeRequest
from migrator.plan import Plan, plan


def request(*revisions: str, old: tuple[str, ...] = ()) -> UpgradeRequest:
    return UpgradeRequest("0" * 64, revisions, old)


def test_an_empty_database_is_upgraded() -> None:
    assert plan(set(), request("a")) is Plan.UPGRADE


def test_a_database_behind_is_upgraded() -> None:
    assert plan({"a"}, request("a", "b")) is Plan.UPGRADE


def test_a_database_between_branches_is_upgraded() -> None:
    assert plan({"b1", "b2"}, request("a", "b1", "b2", "merge")) is Plan.UPGRADE


def test_a_database_at_head_is_left_alone() -> None:
    assert plan({"b"}, request("a", "b")) is Plan.NOTHING


def test_after_a_rollback_the_database_stays_ahead() -> None:
    assert plan({"c"}, request("a", old=("a", "b", "c"))) is Plan.STAY_AHEAD


def test_a_rollback_from_between_two_revisions_stays_there() -> None:
    assert plan({"b"}, request("a", old=("a", "b", "c"))) is Plan.STAY_AHEAD


@pytest.mark.parametrize("old", [(), ("a",)])
def test_a_revision_that_nobody_knows_is_refused_with_what_to_do(old: tuple[str, ...]) -> None:
    with pytest.raises(UnknownRevisionError, match=r"revision z, .*deploy a version that has it, or, .*stamp it"):
        plan({"z"}, request("a", "b", old=old))


def test_a_rollback_does_not_excuse_a_second_unknown_head() -> None:
    with pytest.raises(UnknownRevisionError, match="revision c, z"):
        plan({"c", "z"}, request("a", old=("a", "c")))


def test_a_rewritten_history_is_not_taken_for_a_rollback() -> None:
    with pytest.raises(UnknownRevisionError, match="revision b"):
        plan({"b"}, request("a", "other", old=("a", "b")))
