"""Find the place in the user's scripts where an exception came up, for the message about it."""

from pathlib import Path
from traceback import extract_tb

from alembic.script import ScriptDirectory


def location(exc: BaseException, directory: ScriptDirectory) -> str:
    """Return the file and line of a revision, with a colon, or an empty text for an exception from another place."""
    folders = [Path(folder).resolve() for folder in directory.version_locations or [directory.versions]]
    for frame in reversed(extract_tb(exc.__traceback__)):
        file = Path(frame.filename).resolve()
        if any(file.is_relative_to(folder) for folder in folders):
            return f"{file.name} line {frame.lineno}: "
    return ""
