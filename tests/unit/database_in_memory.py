"""A database in memory: a few lines that apply a revision as the migrator does."""

from dataclasses import dataclass, field

from migrator.decision import Decision, decide
from migrator.events import UpgradeRequest
from migrator.manifest import Manifest, RevisionFile
from migrator.migration_log import LoggedRevision


class BrokenRevisionError(Exception):
    """The revision that is to fail was reached."""


@dataclass
class Database:
    """The version table, the log, and the code that made the schema, by revision."""

    heads: frozenset[str] = frozenset()
    log: dict[str, LoggedRevision] = field(default_factory=dict)
    schema: dict[str, str] = field(default_factory=dict)
    history: Manifest = Manifest({})  # noqa: RUF009 - never changed

    def upgrade(self, request: UpgradeRequest, code: Manifest, *, broken: str = "") -> Decision:
        """Upgrade as the migrator does. Raises HistoryError, or BrokenRevisionError at the revision `broken`."""
        decision = decide(self.heads, request, code, self.log)
        if decision is Decision.BASELINE:
            self._record_baseline(request.baseline, code)
            decision = decide(self.heads, UpgradeRequest("", request.revisions), code, self.log)
        if decision is Decision.UPGRADE:
            for file in code.files.values():
                if file.revision not in code.ancestors(self.heads):
                    self._apply(file, code, broken)
        return decision

    def _apply(self, file: RevisionFile, code: Manifest, broken: str) -> None:
        if file.revision == broken:
            raise BrokenRevisionError(broken)
        self.schema[file.revision] = file.digest
        self._write(file)
        self.heads = self.heads - set(file.parents) | {file.revision}
        self.history = code

    def _record_baseline(self, baseline: str, code: Manifest) -> None:
        """Record that the schema is that of the baseline, as the user says."""
        self.heads = frozenset({baseline})
        self.history = code
        for revision in code.ancestors({baseline}):
            self.schema[revision] = code.files[revision].digest
            self._write(code.files[revision])

    def _write(self, file: RevisionFile) -> None:
        self.log[file.revision] = LoggedRevision(len(self.log), file.revision, file.parents, file.digest, "today")
