"""Servers on a machine whose folder for temporary files cannot hold the server's unix socket, as on macOS."""

import os
import tempfile
from pathlib import Path

import pytest

from localaws.postgres import ServerConfig, start_server
from localaws.postgres.server import MAX_SOCKET_PATH_BYTES, private_folder


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder for temporary files, with a path of the length that macOS and the emulator have together."""
    folder = tmp_path / ("x" * (70 - len(str(tmp_path)) % 70)) / "T"
    folder.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_a_server_starts_and_ends_also_if_the_path_of_the_temporary_folder_is_long(temporary: Path) -> None:
    assert len(str(temporary)) > 60
    server = start_server(ServerConfig(), kind="embedded", version=17)
    try:
        assert len(os.fsencode(f"{server.access.trusted['host']}/.s.PGSQL.65535")) <= MAX_SOCKET_PATH_BYTES
        with server.access.session("postgres") as session, session.cursor() as cursor:
            cursor.execute("SELECT inet_server_addr() IS NULL")
            assert cursor.fetchall() == [(True,)]
    finally:
        server.stop()
    assert not server.folder.exists()
    assert list(temporary.iterdir()) == []


def test_a_short_temporary_folder_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="t") as folder:
        Path(folder).chmod(0o711)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        with private_folder() as private:
            assert private.parent == Path(folder)
