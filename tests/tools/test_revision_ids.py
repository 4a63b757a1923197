"""Synth and lint reject the ids that Alembic cannot address or record, with one message for each id and its file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rds_alembic.errors import RdsAlembicError
from rds_alembic.revisions.alembic_project import AlembicProject
from review.errors import ReviewError
from review.revision_scripts import RevisionScripts

TEXT = "be a text of printable characters, without a space at either end"
REJECTED = [
    ("x" * 33, "have at most 32 characters"),
    ("base", "not be one of base, head, heads"),
    ("head", "not be one of base, head, heads"),
    ("heads", "not be one of base, head, heads"),
    ("", TEXT),
    (12, TEXT),
    (None, TEXT),
    ("a\nb", TEXT),
    (" a", TEXT),
    ("a\0b", TEXT),
    ("it's", "not contain any of the characters ' @ - + :"),
    ("2026-11-20", "not contain any of the characters"),
    ("branch@1", "not contain any of the characters"),
    ("a:b", "not contain any of the characters"),
    ("+1", "not contain any of the characters"),
]
ALLOWED = ["x" * 32, "é" * 32, "a b", "100%", "a..b", 'a"b', "a\\b", "a,b", "HEAD", "current", "0", "None", "basement"]
POSITIONS = {"alone": (), "last": ("first",), "between": ("first", "last"), "first": (None, "last")}


def synth(project: Path) -> tuple[str, ...]:
    return AlembicProject.read(project).revisions


def lint(project: Path) -> tuple[str, ...]:
    return tuple(script.revision for script in RevisionScripts.read(project / "alembic.ini").revisions)


READERS = pytest.mark.parametrize("read", [synth, lint])
type Read = Callable[[Path], tuple[str, ...]]


def write(project: Path, name: str, revision: object, down: object, annotation: str = "") -> Path:
    versions = project / "migrations" / "versions"
    versions.mkdir(parents=True, exist_ok=True)
    (project / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/migrations\npath_separator = os\n")
    (versions.parent / "env.py").touch()
    script = versions / f"{name}.py"
    script.write_text(f"revision{annotation} = {revision!r}\ndown_revision = {down!r}\n\ndef upgrade():\n    pass\n")
    return script


def message(read: Read, project: Path) -> str:
    with pytest.raises((RdsAlembicError, ReviewError)) as error:
        read(project)
    return str(error.value)


@READERS
@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize(("revision", "rule"), REJECTED)
def test_an_id_that_alembic_cannot_use_is_rejected(
    tmp_path: Path, read: Read, revision: object, rule: str, position: str
) -> None:
    first, last = (*POSITIONS[position], None, None)[:2]
    script = write(tmp_path, "script", revision, first)
    if first:
        write(tmp_path, "first", first, None)
    if last:
        write(tmp_path, "last", last, revision)
    text = message(read, tmp_path)
    assert text.count("revision id must") == 1
    assert f"revision id must {rule}" in text
    assert f"(got {revision!r}" in text
    assert f"{script}); rename the revision in that file" in text


@READERS
@pytest.mark.parametrize("revision", ALLOWED)
def test_another_id_is_accepted(tmp_path: Path, read: Read, revision: str) -> None:
    write(tmp_path, "script", revision, None, annotation=": str")
    assert read(tmp_path) == (revision,)


@READERS
def test_all_ids_that_violate_the_rule_are_in_one_message(tmp_path: Path, read: Read) -> None:
    write(tmp_path, "one", "base", None)
    write(tmp_path, "two", "x" * 40, "base", annotation=": str")
    assert message(read, tmp_path).count("revision id must") == 2


@READERS
def test_an_id_that_the_script_computes_is_checked(tmp_path: Path, read: Read) -> None:
    script = write(tmp_path, "script", "x", None)
    script.write_text("revision = 'x' * 33\ndown_revision = None\n")
    assert "have at most 32 characters" in message(read, tmp_path)


@READERS
def test_other_files_below_the_project_are_not_revisions(tmp_path: Path, read: Read) -> None:
    write(tmp_path, "script", "a", None)
    (tmp_path / "migrations" / "versions" / "broken.txt").write_text("revision = 'head'\ndown_revision = None\n")
    (tmp_path / "migrations" / "helper.py").write_text("revision = 'head'\ndown_revision = None\n")
    (tmp_path / "migrations" / "versions" / "archive").mkdir()
    (tmp_path / "migrations" / "versions" / "archive" / "old.py").write_text("revision = 'head'\ndown_revision = 'x'\n")
    assert read(tmp_path) == ("a",)


@READERS
def test_another_error_in_the_revisions_has_the_message_of_alembic(tmp_path: Path, read: Read) -> None:
    write(tmp_path, "script", "a", "nowhere")
    assert "Revision nowhere" in message(read, tmp_path)
