"""The steps of safe forms, and their division into revisions."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, auto
from itertools import groupby

from alembic.operations import ops

from rds_alembic.autogenerate.safe_forms.operations import Commented, Docstring, Nothing

type Operations = tuple[ops.MigrateOperation, ...]


class Phase(IntEnum):
    """The order of steps. Steps of one phase and one subject share a revision."""

    TYPES = auto()
    NEW_TABLES = auto()
    EXPAND = auto()
    BACKFILL = auto()
    RESTRICT = auto()
    BUILD_INDEX = auto()
    USE_INDEX = auto()
    FOREIGN_KEY = auto()
    VALIDATE = auto()
    FINISH = auto()
    PRIMARY_KEY = auto()
    DROP_INDEX = auto()
    DROP_CONSTRAINT = auto()
    DROP_COLUMN = auto()
    DROP_TABLE = auto()
    LAST = auto()


_COMMON_TITLES = {
    Phase.NEW_TABLES: "create {}",
    Phase.RESTRICT: "add constraints to {}",
    Phase.VALIDATE: "validate the constraints of {}",
    Phase.FINISH: "finish the changes of {}",
}
"""The titles of revisions with several steps."""


@dataclass(frozen=True)
class Step:
    """One part of a safe form, with its inverse.

    `subject` is the object that limits a revision: a table that is locked, or an index that is built. `title` completes
    the message of the revision. `paragraphs` are text for the docstring of upgrade().
    """

    phase: Phase
    subject: str
    title: str
    upgrade: Operations
    downgrade: Operations
    paragraphs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Revision:
    """The operations of one revision."""

    title: str
    upgrade: list[ops.MigrateOperation]
    downgrade: list[ops.MigrateOperation]


def revisions(steps: Iterable[Step]) -> list[Revision]:
    """Divide steps into revisions, in the order of their phases. The order within a phase is kept."""
    first: dict[tuple[Phase, str], int] = {}
    numbered = list(steps)
    for number, step in enumerate(numbered):
        first.setdefault((step.phase, step.subject), number)
    ordered = sorted(numbered, key=lambda step: (step.phase, first[step.phase, step.subject]))
    parts = groupby(ordered, key=lambda step: (step.phase, step.subject))
    return [_revision(list(part)) for _, part in parts]


def _revision(steps: list[Step]) -> Revision:
    titles = list(dict.fromkeys(step.title for step in steps))
    title = titles[0] if len(titles) == 1 else _COMMON_TITLES.get(steps[0].phase, "change {}").format(steps[0].subject)
    paragraphs = tuple(dict.fromkeys(text for step in steps for text in step.paragraphs))
    upgrade = [operation for step in steps for operation in step.upgrade]
    inverses = [item for step in reversed(steps) for operation in step.downgrade for item in _uncommented(operation)]
    downgrade = [operation for operation in inverses if not isinstance(operation, Nothing)] or inverses[:1]
    if paragraphs:
        summary = ", ".join(titles)
        upgrade.insert(0, Docstring(f"{summary[0].upper()}{summary[1:]}.", paragraphs))
    return Revision(title, upgrade, downgrade)


def _uncommented(operation: ops.MigrateOperation) -> list[ops.MigrateOperation]:
    """Return the operations without the comments for the lint, which checks upgrade() only."""
    return operation.ops if isinstance(operation, Commented) else [operation]
