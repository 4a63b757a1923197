"""The recipes of docs/writing-migrations.md as Alembic projects, which contain the code of the guide."""

import io
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config

from tests.postgres.projects import Project

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs/writing-migrations.md"
BASE = "parcels"

_HEADING = re.compile(r"^### (.+)$", re.MULTILINE)
_BLOCK = re.compile(
    r"^```python\n# revision (\d+) of (\d+), deployment (\d+): [^\n]+\n(.+?)^```$", re.MULTILINE | re.DOTALL
)
_LOCK = re.compile(r"^\| (\d+) \| ([A-Z ]+)", re.MULTILINE)
_TABLES = re.compile(r"^```sql\n(CREATE TABLE depots .+?)^```$", re.MULTILINE | re.DOTALL)
_GENERATED = re.compile(r"^\| ((?:add|drop|change|rename|forbid|allow) [^|`]+?) \| (.+) \|$", re.MULTILINE)
_TYPE_CHANGE = re.compile(r"^\| `(.+)` \| `(.+)` \| (yes|no) \|$", re.MULTILINE)

_GRANTS = ("GRANT SELECT, INSERT, UPDATE ON parcels TO querier", "GRANT SELECT ON depots TO querier")


@dataclass(frozen=True)
class Revision:
    """A block of Python in a recipe, and the strictest lock on `parcels` that the guide names for it, if any."""

    name: str
    deployment: int
    code: str
    lock: str | None = None

    @property
    def goes_down(self) -> bool:
        return "NotImplementedError" not in self.code

    @property
    def is_transaction(self) -> bool:
        return "autocommit_block" not in self.code


@dataclass(frozen=True)
class Recipe:
    title: str
    revisions: tuple[Revision, ...]

    def of_deployment(self, number: int) -> tuple[Revision, ...]:
        return tuple(revision for revision in self.revisions if revision.deployment == number)

    @property
    def reversible(self) -> tuple[Revision, ...]:
        """The revisions before the first revision without a downgrade."""
        ends = [number for number, revision in enumerate(self.revisions) if not revision.goes_down]
        return self.revisions[: min(ends, default=len(self.revisions))]


def read_recipes() -> dict[str, Recipe]:
    """Return the recipes of the guide that have revisions, by their headings."""
    _, *parts = _HEADING.split(GUIDE.read_text())
    recipes = {title: _recipe(title, text) for title, text in zip(parts[::2], parts[1::2], strict=True)}
    return {title: recipe for title, recipe in recipes.items() if recipe.revisions}


def _recipe(title: str, text: str) -> Recipe:
    locks = {int(number): lock.strip() for number, lock in _LOCK.findall(text)}
    blocks = [(int(number), int(total), int(at), code) for number, total, at, code in _BLOCK.findall(text)]
    assert [number for number, *_ in blocks] == list(range(1, len(blocks) + 1)), f"{title}: revisions out of order"
    assert {total for _, total, *_ in blocks} <= {len(blocks)}, f"{title}: {len(blocks)} revisions"
    assert set(locks) in ({*range(1, len(blocks) + 1)}, set()), (
        f"{title}: the table of locks must have a row for each revision"
    )
    return Recipe(title, tuple(Revision(f"r{number}", at, code, locks.get(number)) for number, _, at, code in blocks))


def generated_revisions() -> dict[str, str]:
    """Return the revisions that `make revision` writes for a change, according to the guide."""
    return dict(_GENERATED.findall(GUIDE.read_text()))


def type_changes() -> list[tuple[str, str, bool]]:
    """Return the type changes of the guide: the old type, the new type, and true if the table is rewritten."""
    return [(before, after, rewrites == "yes") for before, after, rewrites in _TYPE_CHANGE.findall(GUIDE.read_text())]


def project_with_tables(folder: Path) -> Project:
    """Return a project with the env.py of this repository, whose first revision creates the tables of the guide."""
    project = Project(folder)
    shutil.copy(ROOT / "migrations/env.py", folder / "scripts/env.py")
    (tables,) = _TABLES.findall(GUIDE.read_text())
    project.add(BASE, *filter(None, map(str.strip, tables.split(";"))), *_GRANTS)
    return project


def add(project: Project, revisions: Sequence[Revision]) -> None:
    """Add revisions to a project."""
    for revision in revisions:
        project.write(revision.name, revision.code, downgrade="")


def config(project: Project, **attributes: object) -> Config:
    alembic_config = Config(str(project.folder / "alembic.ini"), output_buffer=io.StringIO())
    alembic_config.attributes.update(attributes)
    return alembic_config


def offline(project: Project, start: str, end: str) -> str:
    """Return the SQL of `alembic upgrade start:end --sql`."""
    output = io.StringIO()
    alembic_config = Config(str(project.folder / "alembic.ini"), output_buffer=output)
    command.upgrade(alembic_config, f"{start}:{end}", sql=True)
    return output.getvalue()


RECIPES = read_recipes()
