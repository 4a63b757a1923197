"""The decision of an upgrade depends on the migration log, the database and the deployment."""

import pytest

from migrator.decision import Decision
from migrator.migration_log import LoggedRevisions
from tests.unit.histories import ABC, EMPTY, chain, decision, log_of, manifest, rejection


@pytest.mark.parametrize("log", [EMPTY, log_of(ABC)], ids=["without a log", "with a log"])
def test_a_database_that_lacks_revisions_is_upgraded(log: LoggedRevisions) -> None:
    assert decision(set(), ABC, EMPTY) is Decision.UPGRADE
    assert decision("a", ABC, log) is Decision.UPGRADE


def test_a_database_between_branches_is_upgraded() -> None:
    code = manifest({"a": (), "b1": ("a",), "b2": ("a",), "merge": ("b1", "b2")})
    assert decision({"b1", "b2"}, code, log_of(code)) is Decision.UPGRADE


@pytest.mark.parametrize("log", [EMPTY, log_of(ABC)], ids=["without a log", "with a log"])
def test_a_database_at_head_is_not_changed(log: LoggedRevisions) -> None:
    assert decision("c", ABC, log) is Decision.NOTHING


# Edited revisions


def test_the_error_about_an_edited_revision_names_its_time_and_both_solutions() -> None:
    error = rejection("c", manifest(chain("a", "b", "c"), edited=["b"]), log_of(ABC))
    assert "applied revisions were edited: b (applied 2026-11-20 04:00 UTC)" in error
    assert "put changes into new revisions after the last one" in error
    assert "-c baseline=c" in error


def test_an_edited_revision_is_rejected_before_new_revisions_are_applied() -> None:
    code = manifest(chain("a", "b", "c", "d"), edited=["a", "b", "d"])
    assert "edited: a (applied 2026-11-20 04:00 UTC), b (applied 2026-11-20 04:00 UTC)." in rejection(
        "c", code, log_of(ABC)
    )


def test_a_revision_that_is_not_applied_may_be_edited() -> None:
    assert decision("b", manifest(chain("a", "b", "c"), edited=["c"]), log_of(ABC)) is Decision.UPGRADE


def test_the_message_about_hundreds_of_edited_revisions_is_short() -> None:
    names = [f"revision{number:04}" for number in range(500)]
    error = rejection(names[-1], manifest(chain(*names), edited=names), log_of(manifest(chain(*names))))
    assert "… revision0499" in error
    assert len(error.encode()) < 900


# Rewritten histories


def test_a_revision_that_replaces_an_applied_one_is_named_as_never_applied() -> None:
    code = manifest(chain("a", "x", "c"), edited=["c"])
    error = rejection("c", code, log_of(ABC))
    assert "c was applied after b and now comes after x" in error
    assert "Never applied: x." in error
    assert "Applied, but not in this deployment: b." in error
    assert "put changes into new revisions after the last one" in error


def test_a_revision_that_is_inserted_before_an_applied_one_is_named_as_never_applied() -> None:
    error = rejection("c", manifest(chain("a", "b", "x", "y", "c")), log_of(ABC))
    assert "Never applied: x, y." in error
    assert "not in this deployment" not in error


def test_an_applied_revision_that_was_taken_out_of_the_middle_is_named() -> None:
    error = rejection("c", manifest(chain("a", "c")), log_of(ABC))
    assert "c was applied after b and now comes after a. Applied, but not in this deployment: b." in error


def test_the_error_about_a_squash_that_keeps_the_last_id_offers_a_baseline() -> None:
    code = manifest({"c": ()}, edited=["c"])
    error = rejection("c", code, log_of(ABC))
    assert "c was applied after b and now comes after no revision" in error
    assert "If the history was squashed and the schema is that of c, deploy once with -c baseline=c" in error
    assert decision("c", code, log_of(ABC), baseline="c") is Decision.BASELINE


def test_the_error_about_a_squash_into_a_new_revision_offers_a_baseline() -> None:
    code = manifest(chain("squashed", "d"))
    for old in [("a", "b", "c"), ()]:
        error = rejection("c", code, log_of(ABC), old=old)
        assert "no revision in common" in error
        assert "deploy once with -c baseline=squashed" in error
    assert decision("c", code, log_of(ABC), baseline="squashed") is Decision.BASELINE


def test_the_error_about_a_squash_of_the_older_half_offers_a_baseline() -> None:
    code = manifest(chain("squashed", "c"))
    assert "-c baseline=c" in rejection("c", code, log_of(ABC))
    assert decision("c", code, log_of(ABC), baseline="c") is Decision.BASELINE


def test_a_recorded_baseline_is_ignored() -> None:
    code = manifest(chain("squashed", "d"))
    assert decision("squashed", code, log_of(manifest(chain("squashed"))), baseline="squashed") is Decision.UPGRADE
    assert decision("d", code, log_of(code), baseline="squashed") is Decision.NOTHING


def test_a_baseline_records_the_revision_of_a_database_without_alembic() -> None:
    assert decision(set(), ABC, EMPTY, baseline="b") is Decision.BASELINE


def test_a_baseline_never_moves_a_database_back() -> None:
    assert decision("c", ABC, log_of(ABC), baseline="a") is Decision.NOTHING
    code = manifest(chain("a", "b"))
    assert "-c allow-ahead=c" in rejection("c", code, log_of(ABC), baseline="b")


# Branches that were deployed one after the other


def test_the_error_about_a_deployment_from_another_branch_says_how_to_merge() -> None:
    team_a, team_b = manifest(chain("a", "b", "branch_a")), manifest(chain("a", "b", "branch_b"))
    for old in [("a", "b", "branch_a"), ("a", "b"), ()]:
        error = rejection("branch_a", team_b, log_of(team_a), old=old)
        assert "the database is at revision branch_a" in error
        assert "This deployment lacks branch_a (applied 2026-11-20 04:00 UTC)" in error
        assert "adds branch_b on another branch" in error
        assert "put branch_b after branch_a" in error
        assert "baseline" not in error
        assert "stamp" not in error


def test_the_merge_of_both_branches_is_upgraded() -> None:
    team_a = manifest(chain("a", "branch_a"))
    merged = manifest({"a": (), "branch_a": ("a",), "branch_b": ("a",), "merge": ("branch_b", "branch_a")})
    assert decision("branch_a", merged, log_of(team_a)) is Decision.UPGRADE


def test_the_error_about_a_hotfix_on_restored_code_names_its_place() -> None:
    error = rejection("c", manifest(chain("a", "b", "hotfix")), log_of(ABC), old=("a", "b"))
    assert "put hotfix after c" in error
    assert "also after a rollback" in error


def test_a_database_at_an_unknown_revision_is_rejected() -> None:
    error = rejection("z", ABC, EMPTY)
    assert "revision z, which is neither in this deployment nor in the migration log" in error
    assert "stamp" not in error
