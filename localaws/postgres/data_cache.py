"""A cache of data folders of stopped servers, so that a server starts with a database that was migrated before."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from localaws.postgres.embedded import EmbeddedServer
from localaws.postgres.server import Server


@dataclass(frozen=True)
class DataCache:
    """The data folders in a folder, by name. `entries` are kept, those that were used last."""

    folder: Path
    entries: int = 8

    def find(self, name: str) -> Path | None:
        """Return the data folder with a name, or None."""
        path = self.folder / name
        if not path.is_dir():
            return None
        path.touch()
        return path

    def keep(self, name: str, server: Server) -> None:
        """Copy the data of a server into the cache. Its sessions end. The data of a container is not copied."""
        if not isinstance(server, EmbeddedServer):
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".new-") as new:
            data = Path(new, "data")
            server.save_data(data)
            if not (self.folder / name).exists():
                data.rename(self.folder / name)
        paths = sorted(self.folder.glob("[!.]*"), key=lambda path: path.stat().st_mtime)
        for path in paths[: -self.entries]:
            shutil.rmtree(path, ignore_errors=True)
