"""Thousands of random deployments against a database in memory: the decision, and what follows from it.

A revision is applied here by a few lines. `tests/postgres/test_cloudformation.py` does less of this with real servers.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count

from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from migrator.decision import Decision, decide
from migrator.errors import HistoryError
from migrator.events import UpgradeRequest
from migrator.manifest import Manifest, RevisionFile
from migrator.migration_log import LoggedRevision

EVENTS = 10_000


class BrokenRevisionError(Exception):
    pass


@dataclass
class Database:
    """The version table, the log, and the code that made the schema, by revision."""

    heads: frozenset[str] = frozenset()
    log: dict[str, LoggedRevision] = field(default_factory=dict)
    schema: dict[str, str] = field(default_factory=dict)
    history: Manifest = Manifest({})  # noqa: RUF009 - never changed

    def upgrade(self, request: UpgradeRequest, code: Manifest, *, broken: str = "") -> Decision:
        """Do what the migrator does; raises HistoryError, or BrokenRevisionError when it gets to `broken`."""
        todo = decide(self.heads, request, code, self.log)
        if todo is Decision.BASELINE:
            self._record_baseline(request.baseline, code)
            todo = decide(self.heads, UpgradeRequest("", request.revisions), code, self.log)
        if todo is Decision.UPGRADE:
            for file in code.files.values():
                if file.revision not in code.ancestors(self.heads):
                    self._apply(file, code, broken)
        return todo

    def _apply(self, file: RevisionFile, code: Manifest, broken: str) -> None:
        if file.revision == broken:
            raise BrokenRevisionError(broken)
        self.schema[file.revision] = file.digest
        self._write(file)
        self.heads = self.heads - set(file.parents) | {file.revision}
        self.history = code

    def _record_baseline(self, baseline: str, code: Manifest) -> None:
        """Take the user's word: the schema is what the code's revisions make."""
        self.heads = frozenset({baseline})
        self.history = code
        for revision in code.ancestors({baseline}):
            self.schema[revision] = code.files[revision].digest
            self._write(code.files[revision])

    def _write(self, file: RevisionFile) -> None:
        self.log[file.revision] = LoggedRevision(len(self.log), file.revision, file.parents, file.digest, "today")


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
        """Put another revision in the place of one, before its child if it has one."""
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
        """Deploy what somebody made of some earlier version of the code, and perhaps do as the error says."""
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
                self.send(code, end=end, **{advice[1]: advice[2]})  # a way out that is named must work

    def send(self, code: Manifest, *, end: str, **choices: str) -> None:
        """Send an Update, and its rollback if it fails; raises HistoryError, after the rollback."""
        old = tuple(self.deployed.files) if self.deployed else ()
        allow = frozenset({choices["allow-ahead"]} if "allow-ahead" in choices else ())
        request = UpgradeRequest("", tuple(code.files), old, baseline=choices.get("baseline", ""), allow_ahead=allow)
        type(self).events += 1
        try:
            done = self.database.upgrade(request, code, broken=request.head if end == "broken" else "")
        except BrokenRevisionError:
            self.roll_back()
            return
        except HistoryError:
            self.roll_back()
            raise
        self.check(code, done)
        if end == "fails elsewhere":
            self.roll_back()
        else:
            self.deployed = code

    def roll_back(self) -> None:
        """Count the event: a rollback changes nothing, whatever the history of the deployment was."""
        type(self).events += 1

    def check(self, code: Manifest, done: Decision) -> None:
        """Assert that what a successful deployment reports is true."""
        if done is Decision.STAY_AHEAD:
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


def test_no_deployment_reports_more_than_was_applied_and_every_way_out_works(
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
