"""The manifest in the function's zip is read, or rejected with the reason."""

import json
from pathlib import Path

import pytest

from migrator.errors import MigratorError
from migrator.manifest import NAME, Manifest, RevisionFile


def test_the_order_the_parents_and_the_digests_of_the_revisions_are_read(tmp_path: Path) -> None:
    entries = [
        {"revision": "z", "parents": [], "digest": "1"},
        {"revision": "a", "parents": ["z"], "digest": "2"},
    ]
    folders = {"script_location": "db", "version_locations": ["db/versions"], "sys_path": ["."]}
    (tmp_path / NAME).write_text(json.dumps(folders | {"revisions": entries}))
    manifest = Manifest.read(tmp_path)
    assert (manifest.script_location, manifest.version_locations, manifest.sys_path) == ("db", ("db/versions",), (".",))
    assert list(manifest.files.values()) == [RevisionFile("z", (), "1"), RevisionFile("a", ("z",), "2")]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "JSONDecodeError: Expecting value"),
        ('{"revisions": [{"revision": "a", "parents": []}]}', "KeyError: 'digest'"),
        ('{"revisions": [{"revision": "a", "parents": null, "digest": ""}]}', "TypeError: 'NoneType' object is not"),
        ('{"revisions": []}', "KeyError: 'script_location'"),
        ("7", "TypeError: 'int' object is not subscriptable"),
    ],
)
def test_a_malformed_manifest_is_rejected_with_the_reason(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / NAME).write_text(text)
    with pytest.raises(MigratorError, match=rf"^\.rds-alembic\.json of the function's zip cannot be read: {reason}"):
        Manifest.read(tmp_path)


def test_a_zip_without_a_manifest_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(MigratorError, match="cannot be read: FileNotFoundError"):
        Manifest.read(tmp_path)
