"""Thousands of random deployments to a database in memory: the decision, and the state that follows from it.

`tests/postgres/test_cloudformation.py` has fewer deployments, to real servers.
"""

import re
from collections.abc import Callable, Mapping
from itertools import count

from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from migrator.decision import Decision, decide
from migrator.errors import HistoryError
from migrator.events import UpgradeRequest
from migrator.manifest import Manifest, RevisionFile
from tests.unit.database_in_memory import BrokenRevisionError, Database

EVENTS = 10_000

type Edit = Callable[["Deployments", Manifest, int], Manifest]


def code_of(files: Mapping[str, RevisionFile]) -> Manifest:
    return Manifest(dict(files))


class Deployments(RuleBasedStateMachine):
    events = 0

    def __init__(self) -> None:
        super().__init__()
        self.database = Database()
        self.names = count(1)
        self.known: list[Manifest] = []
        self.deployed: Manifest | None = None
        self.append(Manifest({}))

    def append(self, code: Manifest) -> Manifest:
        parents = (list(code.files)[-1],) if code.files else ()
        file = RevisionFile(f"r{next(self.names)}", parents, "code")
        return code_of({**code.files, file.revision: file})

    def drop(self, code: Manifest, at: int) -> Manifest:
        return code_of(dict(list(code.files.items())[: len(code.files) - at]))

    def edit(self, code: Manifest, at: int) -> Manifest:
        file = self._pick(code, at)
        edited = RevisionFile(file.revision, file.parents, f"{file.digest}, edited {next(self.names)}")
        return code_of({**code.files, file.revision: edited})

    def insert(self, code: Manifest, at: int) -> Manifest:
        file = self._pick(code, at)
        new = RevisionFile(f"r{next(self.names)}", file.parents, "code")
        moved = RevisionFile(file.revision, (new.revision,), file.digest)
        return self._replaced(code, file, new, moved)

    def replace(self, code: Manifest, at: int) -> Manifest:
        """Replace a revision by another one, which becomes the parent of its child."""
        file = self._pick(code, at)
        new = RevisionFile(f"r{next(self.names)}", file.parents, "code")
        files = self._replaced(code, file, new).files
        return code_of(
            {
                name: RevisionFile(name, tuple(new.revision if p == file.revision else p for p in f.parents), f.digest)
                for name, f in files.items()
            }
        )

    def squash(self, code: Manifest, at: int) -> Manifest:
        last = list(code.files)[-1]
        name = last if at % 2 else f"r{next(self.names)}"
        return code_of({name: RevisionFile(name, (), f"everything up to {last}")})

    def _pick(self, code: Manifest, at: int) -> RevisionFile:
        return list(code.files.values())[at % len(code.files)]

    def _replaced(self, code: Manifest, old: RevisionFile, *new: RevisionFile) -> Manifest:
        files: dict[str, RevisionFile] = {}
        for file in code.files.values():
            files |= {each.revision: each for each in (new if file is old else (file,))}
        return code_of(files)

    @rule(
        base=st.integers(0, 4),
        edit=st.sampled_from(["", "", "", "drop", "edit", "insert", "replace", "squash"]),
        at=st.integers(0, 9),
        new=st.integers(0, 2),
        end=st.sampled_from(["success", "success", "broken", "fails elsewhere"]),
        follows_advice=st.booleans(),
    )
    def deploy(self, *, base: int, edit: str, at: int, new: int, end: str, follows_advice: bool) -> None:
        """Deploy a changed version of earlier code. If it is rejected, perhaps follow the advice of the error."""
        code = self.known[-1 - base % len(self.known)] if self.known else self.append(Manifest({}))
        if edit and code.files:
            code = getattr(self, edit)(code, at)
        for _ in range(new):
            code = self.append(code)
        if not code.files:
            return
        self.known.append(code)
        try:
            self.send(code, end=end)
        except HistoryError as error:
            note(f"rejected: {error}")
            if follows_advice and (advice := re.search(r"-c (baseline|allow-ahead)=(\w+)(?!\S)", str(error))):
                self.send(code, end=end, **{advice[1]: advice[2]})  # the advice must work

    def send(self, code: Manifest, *, end: str, **choices: str) -> None:
        """Send an Update, and its rollback if it fails. Raises HistoryError after the rollback."""
        old = tuple(self.deployed.files) if self.deployed else ()
        allow = frozenset({choices["allow-ahead"]} if "allow-ahead" in choices else ())
        request = UpgradeRequest("", tuple(code.files), old, baseline=choices.get("baseline", ""), allow_ahead=allow)
        type(self).events += 1
        try:
            decision = self.database.upgrade(request, code, broken=request.head if end == "broken" else "")
        except BrokenRevisionError:
            self.roll_back()
            return
        except HistoryError:
            self.roll_back()
            raise
        self.check(code, decision)
        if end == "fails elsewhere":
            self.roll_back()
        else:
            self.deployed = code

    def roll_back(self) -> None:
        """Count the event. A rollback changes nothing."""
        type(self).events += 1

    def check(self, code: Manifest, decision: Decision) -> None:
        """Assert that the report of a successful deployment is true."""
        if decision is Decision.STAY_AHEAD:
            assert set(code.files) <= self.database.schema.keys()
        else:
            assert {name: file.digest for name, file in code.files.items()} == {
                name: self.database.schema.get(name) for name in code.files
            }

    @invariant()
    def the_code_that_made_the_schema_can_always_be_deployed_with_a_new_revision(self) -> None:
        database = self.database
        applied = database.history.ancestors(database.heads)
        code = self.append(code_of({name: file for name, file in database.history.files.items() if name in applied}))
        request = UpgradeRequest("", tuple(code.files), tuple(self.deployed.files) if self.deployed else ())
        assert decide(database.heads, request, code, database.log) is Decision.UPGRADE


def test_a_deployment_reports_only_applied_revisions_and_the_advice_of_every_error_works(
    record_property: Callable[[str, object], None],
) -> None:
    Deployments.events = 0
    run_state_machine_as_test(
        Deployments,
        settings=settings(
            max_examples=180,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    record_property("tried", f"{Deployments.events} events of CloudFormation on a database in memory")
    assert Deployments.events > EVENTS
