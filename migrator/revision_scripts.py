"""Read the revision files of an Alembic project: their order, their heads, and the missing ones. Runs no revision."""

import os
import sys
from collections.abc import Collection
from pathlib import Path
from traceback import extract_tb
from typing import Any

from alembic.config import CommandLine, Config
from alembic.runtime.migration import RevisionStep, StampStep
from alembic.script import ScriptDirectory

from migrator.database_errors import format_error
from migrator.errors import UpgradeError
from migrator.events import UpgradeRequest
from migrator.manifest import Manifest

_SHOWN = 5


class RevisionScripts:
    """The revision files and env.py of the project in a folder. The project's modules can be imported."""

    def __init__(self, project: Path, manifest: Manifest) -> None:
        self.config = _config(project, manifest)
        # At the end, so that a module of the project never hides one of a library or of the migrator. Alembic's
        # `prepend_sys_path` would insert the folders at the beginning.
        folders = [str((project / folder).resolve()) for folder in manifest.sys_path]
        path = [*sys.path, *(folder for folder in folders if folder not in sys.path)]
        self.directory = ScriptDirectory.from_config(self.config)
        sys.path[:] = path

    def check_match(self, request: UpgradeRequest) -> None:
        """Raise UpgradeError if the files differ from the revisions of the request, or have several heads."""
        difference = sorted(self._read().symmetric_difference(request.revisions))
        if difference:
            raise UpgradeError(
                "the function's zip and the deployment must have the same revisions "
                f"(different: {', '.join(difference[:_SHOWN])}): deploy again"
            )
        heads = sorted(self.directory.get_heads())
        if len(heads) > 1:
            raise UpgradeError(
                f"the function's zip must have one head (got {len(heads)}: {', '.join(heads)}): merge them with"
                " alembic merge"
            )

    def missing(self, heads: Collection[str], head: str) -> list[str]:
        """Return the revisions that lead from the heads of the database to `head`, in the order they must run."""
        # `alembic upgrade` uses the same method. It follows dependencies across branches.
        scripts = self.directory.iterate_revisions(head, tuple(heads), implicit_base=True)
        return [script.revision for script in reversed(list(scripts))]

    def upgrade_step(self, revision: str) -> RevisionStep:
        """Return Alembic's step for one revision, without a search of the way to it, which is quadratic in sum."""
        return RevisionStep.upgrade_from_script(self.directory.revision_map, self.directory.get_revision(revision))

    def downgrade_step(self, revision: str) -> RevisionStep:
        """Return Alembic's step that reverts one revision."""
        return RevisionStep.downgrade_from_script(self.directory.revision_map, self.directory.get_revision(revision))

    def stamp_step(self, revision: str, heads: Collection[str]) -> StampStep:
        """Return Alembic's step that replaces the recorded heads by a revision, or by nothing if it is empty.

        Alembic's own stamp command needs the files of all recorded heads, and a squash has removed them.
        """
        if not revision:
            return StampStep(tuple(heads), None, False, True, self.directory.revision_map)
        # Alembic deletes the other heads and changes the last one, which must not be the revision already.
        in_order = tuple(sorted(heads, key=lambda head: head != revision))
        return StampStep(in_order, revision, True, not heads, self.directory.revision_map)

    def location(self, exc: BaseException) -> str:
        """Return the revision file and line that raised an exception, or an empty text if env.py raised it."""
        folders = [Path(folder).resolve() for folder in self.directory.version_locations or [self.directory.versions]]
        for frame in reversed(extract_tb(exc.__traceback__)):
            file = Path(frame.filename).resolve()
            if any(file.is_relative_to(folder) for folder in folders):
                return f"{file.name} line {frame.lineno}: "
        return ""

    def _read(self) -> set[str]:
        """Import every revision file. Raises UpgradeError that names the file which fails."""
        try:
            return {script.revision for script in self.directory.walk_revisions()}
        except KeyboardInterrupt:
            raise
        except BaseException as exc:  # SystemExit, too: the user's code must not end the function
            failure = f"{self.location(exc)}{format_error(exc)}"
            raise UpgradeError(f"the revision files in the function's zip cannot be read: {failure}") from exc


def _config(project: Path, manifest: Manifest) -> Config:
    """Return the configuration that env.py gets as `context.config` in `alembic upgrade head`.

    The folders are those of the zip. In the user's files they can be relative to a checkout or to a package.
    """
    ini, toml = project / "alembic.ini", project / "pyproject.toml"
    arguments = CommandLine(prog="alembic").parser.parse_args(["-c", str(ini), "upgrade", "head"])
    files: dict[str, Any] = {"toml_file": toml} if toml.exists() else {}  # since Alembic 1.16
    config = Config(str(ini) if ini.exists() else None, cmd_opts=arguments, **files)
    folders = [str((project / folder).resolve()) for folder in manifest.version_locations]
    config.set_main_option("script_location", _escape(str((project / manifest.script_location).resolve())))
    for separator in ("path_separator", "version_path_separator"):  # the second before Alembic 1.16
        config.set_main_option(separator, "os")
    config.set_main_option("version_locations", _escape(os.pathsep.join(folders)))
    return config


def _escape(value: str) -> str:
    """Return a value for a ConfigParser, which replaces `%(name)s`."""
    return value.replace("%", "%%")
