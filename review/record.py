"""The record of a run: an ephemeral database at the start revision, and the recordings of the revisions after it."""

import time
from collections.abc import Sequence
from pathlib import Path

from alembic.script import Script

from localaws.errors import LocalAwsError
from review import files_read
from review.database import CACHE, ROLES, Database, cache_name, find_data, open_database
from review.errors import ReviewError
from review.record_revision import record_revision
from review.recording import RevisionRecording
from review.rerun import rerun_failures
from review.revision_scripts import RevisionScripts, format_error
from review.run import RevisionRunner
from review.source import Source

CACHED_SECONDS = 1.0
"""A history that runs for longer is kept in the cache. Each entry takes about 50 MB."""


def record(scripts: RevisionScripts, start: tuple[str, ...]) -> list[RevisionRecording]:
    """Run all revisions on an ephemeral database, and return the recordings of those after `start`.

    The recordings end with a revision that fails. Raises ReviewError if no server can start, if env.py does not run the
    revisions, or if a revision of the start fails.
    """
    planned = scripts.after(start)
    if not planned:
        return []
    after = {script.revision for script in planned}
    history = [script for script in scripts.revisions if script.revision not in after]
    roles = tuple(dict.fromkeys([*ROLES, *scripts.option("roles").replace(",", " ").split()]))
    name = cache_name([*(Path(script.path) for script in history), *_other_files(scripts)], roles)
    try:
        data = find_data(name)
        with open_database(data, roles) as database:
            if data is None:
                began = time.monotonic()
                run_history(scripts, history, database)
                if not history or time.monotonic() - began > CACHED_SECONDS:
                    CACHE.keep(name, database.server)
            return record_on(database, scripts, planned)
    except LocalAwsError as exc:
        raise ReviewError(f"cannot start an ephemeral PostgreSQL: {exc}") from exc


def record_on(database: Database, scripts: RevisionScripts, planned: Sequence[Script]) -> list[RevisionRecording]:
    """Run revisions on a database that has the revisions before them, and return the recordings."""
    recordings: list[RevisionRecording] = []
    with database.engine() as engine:
        runner = RevisionRunner(scripts, engine)
        for script in planned:
            source = Source(Path(script.path), script.revision)
            if "commit" in source.text.lower():  # it may run again after an interruption
                engine.dispose()
                with database.copy("before") as before:
                    recording = record_revision(runner, script, database)
                    if recording.failure is None:
                        recording.rerun_failures = tuple(rerun_failures(scripts, script, recording, database, before))
            else:
                recording = record_revision(runner, script, database)
            recording.files = files_read.of_revision(recording.path, scripts.root)
            recordings.append(recording)
            if recording.failure is not None:
                break
    return recordings


def _other_files(scripts: RevisionScripts) -> list[Path]:
    """Return env.py and the files that revisions may read, for the name in the cache."""
    folder = Path(scripts.directory.dir)
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in {".sql", ".csv", ".json"})


def run_history(scripts: RevisionScripts, history: Sequence[Script], database: Database) -> None:
    """Run revisions without a recording. Raises ReviewError if one fails."""
    with database.engine() as engine:
        runner = RevisionRunner(scripts, engine)
        for script in history:
            try:
                runner.run(script)
            except ReviewError:
                raise
            except Exception as exc:
                reason = format_error(exc, scripts.ini.parent)
                raise ReviewError(f"revision {script.revision}, before the start, cannot run: {reason}") from exc
