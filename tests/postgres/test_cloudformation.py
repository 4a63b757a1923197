"""Random sequences of the events that CloudFormation sends: creations, updates, rollbacks, repetitions, deletions.

Whatever the sequence, and whatever happens to the database meanwhile: the database is at a whole revision of some
deployment, never below one that succeeded, and no rollback fails. `tests/unit/test_deployments.py` tries many more
sequences, on a database in memory.
"""

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, event, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

import migrator.revision_runner  # noqa: F401 - imported once, before the child processes of the migrator
from tests.postgres.accidents import ACCIDENTS, become_migrator
from tests.postgres.servers import Cluster
from tests.postgres.stacks import BROKEN, Deployment, Stack

THAT_FAIL_A_DEPLOYMENT = ("login revoked", "login closed", "server stopped", "stamped by hand")


def machine(  # noqa: C901 - a class of many small rules
    cluster: Cluster, folder: Path, start_over: Callable[[], None], patch: pytest.MonkeyPatch, tally: list[int]
) -> type[RuleBasedStateMachine]:
    class Deployments(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            start_over()
            self.stack = Stack(folder)
            self.known: list[Deployment] = [Deployment(())]
            self.succeeded: Deployment | None = None
            self.names = count()

        @initialize()
        def first(self) -> None:
            self.deploy(
                base=0,
                drop=0,
                new=1,
                broken=False,
                fails_elsewhere=False,
                twice=False,
                seconds=60.0,
                allow=False,
                accident="",
            )

        @rule(
            base=st.integers(0, 5),
            drop=st.integers(0, 1),
            new=st.integers(0, 3),
            broken=st.booleans(),
            fails_elsewhere=st.booleans(),
            twice=st.booleans(),
            seconds=st.sampled_from([20.0, 60.0]),
            allow=st.booleans(),
            accident=st.sampled_from(["", "", "", *THAT_FAIL_A_DEPLOYMENT]),
        )
        def deploy(
            self,
            *,
            base: int,
            drop: int,
            new: int,
            broken: bool,
            fails_elsewhere: bool,
            twice: bool,
            seconds: float,
            allow: bool,
            accident: str,
        ) -> None:
            """Deploy a version that adds revisions to an earlier version, without the last `drop` of them."""
            start = self.known[-1 - base % len(self.known)].revisions
            start = tuple(name for name in start[: len(start) - drop] if not name.startswith(BROKEN))
            fresh = [f"r{next(self.names)}" for _ in range(new)]
            if broken:
                fresh.append(f"{BROKEN}{next(self.names)}")
            deployment = Deployment((*start, *fresh))
            if not deployment.revisions or deployment == self.stack.deployed:
                return
            self.known.append(deployment)
            note(f"deploy {deployment.revisions} over {self.stack.deployed}, {fails_elsewhere=}, {accident=}")
            head = head_of(cluster)
            if accident and head:
                event(accident)
                ACCIDENTS[accident].happen(cluster, patch)
            succeeded = self.stack.deploy(
                deployment,
                fails_elsewhere=fails_elsewhere,
                twice=twice,
                seconds=seconds,
                allow_ahead=head if allow else "",
            )
            if accident and head:
                assert not succeeded
                ACCIDENTS[accident].undo(cluster, patch)
                cluster.admin(f"UPDATE alembic_version SET version_num = '{head}'")  # where it was stamped
            if succeeded:
                assert BROKEN not in "".join(deployment.revisions)
                self.succeeded = deployment

        @rule()
        def delete_the_stack_and_keep_the_database(self) -> None:
            self.stack.deployed = None
            self.succeeded = None

        @invariant()
        def the_database_is_at_a_whole_revision_of_some_deployment(self) -> None:
            heads, tables = head_of(cluster), tables_of(cluster)
            histories = [d.revisions[: d.revisions.index(heads) + 1] for d in self.known if heads in d.revisions]
            assert (heads == "" and not tables) or tables in [set(history) for history in histories]

        @invariant()
        def the_database_has_the_revisions_of_the_last_deployment_that_succeeded(self) -> None:
            if self.succeeded:
                assert set(self.succeeded.revisions) <= tables_of(cluster)

        def teardown(self) -> None:
            tally.append(self.stack.events)

    return Deployments


def head_of(cluster: Cluster) -> str:
    if cluster.admin("SELECT to_regclass('alembic_version')") == [(None,)]:
        return ""
    rows = cluster.admin("SELECT version_num FROM alembic_version")
    assert len(rows) <= 1
    return str(rows[0][0]) if rows else ""


def tables_of(cluster: Cluster) -> set[str]:
    rows = cluster.admin(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
    )
    return {str(name) for (name,) in rows}


def test_no_sequence_of_deployments_ends_in_a_failed_rollback(
    bootstrapped: Cluster,
    tmp_path: Path,
    start_over: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    become_migrator(bootstrapped, monkeypatch, tmp_path / "project")
    tally: list[int] = []
    run_state_machine_as_test(
        machine(bootstrapped, tmp_path / "project", start_over, monkeypatch, tally),
        settings=settings(
            max_examples=15,
            stateful_step_count=8,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],  # to shrink a failure takes minutes
            suppress_health_check=list(HealthCheck),
        ),
    )
    record_property("tried", f"{sum(tally)} events of CloudFormation in {len(tally)} stacks")
    assert sum(tally) > 40
