"""Random sequences of the events that CloudFormation sends: creations, updates, rollbacks, repetitions, deletions.

Whatever the sequence, and whatever happens to the database meanwhile: the database is at a whole revision of some
deployment, never below one that succeeded, and no rollback fails. `tests/unit/test_deployments.py` tries many more
sequences, on a database in memory.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, Phase, event, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

import migrator.revision_runner  # noqa: F401 - imported once, before the child processes of the migrator
from migrator import upgrade_handler
from migrator.errors import MigratorError
from tests.postgres.accidents import ACCIDENTS, become_migrator
from tests.postgres.events import upgrade_event
from tests.postgres.lambda_context import Context
from tests.postgres.projects import Project
from tests.postgres.servers import Cluster

BROKEN = "broken"
THAT_FAIL_A_DEPLOYMENT = ("login revoked", "login closed", "server stopped", "stamped by hand")
RESERVE_SECONDS = 15.0  # the time that the handler reserves for its answer


@dataclass(frozen=True)
class Deployment:
    """A version of the code: its revisions in order. Revisions whose name starts with BROKEN fail."""

    revisions: tuple[str, ...]

    def write(self, folder: Path) -> Project:
        shutil.rmtree(folder, ignore_errors=True)
        project = Project(folder)
        for revision in self.revisions:
            project.add(revision, "SELECT 1/0" if revision.startswith(BROKEN) else f"CREATE TABLE {revision} ()")
        return project


@dataclass
class Stack:
    """The part of CloudFormation: it holds the properties and code of a deployment, and sends events."""

    cluster: Cluster
    folder: Path
    deployed: Deployment | None = None
    events: int = 0

    def deploy(self, new: Deployment, *, fails_elsewhere: bool, twice: bool, seconds: float, allow_ahead: str) -> bool:
        """Send a Create or an Update; if anything fails, roll back. Return whether the deployment succeeded."""
        old = self.deployed
        try:
            for _ in range(2 if twice else 1):
                self._send(new, old, seconds=seconds, AllowAhead=allow_ahead)
        except MigratorError as exc:
            note(f"failed: {exc}")
            self._roll_back(new, old)
            return False
        if fails_elsewhere:
            self._roll_back(new, old)
            return False
        self.deployed = new
        return True

    def _roll_back(self, new: Deployment, old: Deployment | None) -> None:
        event("rolled back")
        if old is None:
            return  # a Delete, which does nothing
        data = self._send(old, new, seconds=60, rolling_back=True)  # an error would be UPDATE_ROLLBACK_FAILED
        if data["Schema"].startswith("ahead"):
            event("stayed ahead of the code")

    def _send(
        self, new: Deployment, old: Deployment | None, *, seconds: float, rolling_back: bool = False, **properties: str
    ) -> dict[str, str]:
        """Call the migrator as the Provider framework does, until it is complete; return the resource's attributes."""
        self.events += 1
        project = new.write(self.folder)
        message = upgrade_event(project, "Update" if old else "Create", old.revisions if old else ())
        message["ResourceProperties"] = {**cast("dict[str, object]", message["ResourceProperties"]), **properties}
        message |= {"RollingBack": rolling_back, "StartedAt": str(time.time())}
        while True:
            answer = upgrade_handler.is_complete(message, Context(seconds_left=seconds + RESERVE_SECONDS))
            if answer["IsComplete"]:
                return cast("dict[str, str]", answer["Data"])
            event("took several invocations")


def machine(  # noqa: C901 - a class of many small rules
    cluster: Cluster, folder: Path, start_over: Callable[[], None], patch: pytest.MonkeyPatch, tally: list[int]
) -> type[RuleBasedStateMachine]:
    class Deployments(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            start_over()
            self.stack = Stack(cluster, folder)
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
