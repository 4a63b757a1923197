"""PostgreSQL from programs on this machine, for machines without Docker."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import Any

from localaws.errors import LocalAwsError
from localaws.front_door.entrance import Entrance
from localaws.postgres.bootstrap import wait_until_ready
from localaws.postgres.child import KEEPER, Child
from localaws.postgres.configuration import INITDB, embedded_conf, embedded_hba
from localaws.postgres.settings import PostgresSettings, RestartMode, free_port


class EmbeddedServer:
    """A server whose unix socket lies in a folder that only its own user and root may enter."""

    def __init__(self, settings: PostgresSettings, *, folder: Path, binaries: Path) -> None:
        self._identity = _unprivileged() if os.geteuid() == 0 else {}
        self._home = _private_folder(folder / "server", self._identity)
        self._log = folder / "server.log"
        self._log.touch(mode=0o600)
        self._binaries = _reachable(binaries, self._home, self._identity)
        port = free_port()
        data = self._make_cluster(settings, port)
        self.entrance = Entrance(trusted={"host": str(self._home), "port": port}, password_port=port)
        self._keeper = Child(KEEPER, self._order(folder, data), log=folder / "keeper.log")
        try:
            wait_until_ready(self.entrance, self.obituary)
        except BaseException:
            self._keeper.stop()
            raise

    def restart(self, mode: RestartMode) -> None:
        """Restart the server and wait until it is back."""
        self._keeper.ask(mode)
        wait_until_ready(self.entrance, self.obituary)

    def suspend(self) -> None:
        """Stop the server and keep its data."""
        self._keeper.ask("stop")

    def resume(self) -> None:
        """Start the server after `suspend()` and wait until it is back."""
        self._keeper.ask("start")
        wait_until_ready(self.entrance, self.obituary)

    def stop(self) -> None:
        """Stop the server; its keeper removes the folder."""
        self._keeper.stop()

    def obituary(self) -> str | None:
        """Return the end of the log if the server is dead."""
        return None if self._keeper.ask("status") == "alive" else self._log.read_text()[-2000:].strip()

    def _order(self, folder: Path, data: Path) -> dict[str, object]:
        command = [str(self._binaries / "postgres"), "-D", str(data)]
        process = {"command": command, "identity": self._identity, "log": str(self._log)}
        return {"folder": str(folder), "process": process}

    def _make_cluster(self, settings: PostgresSettings, port: int) -> Path:
        data = self._home / "data"
        made = subprocess.run(
            [self._binaries / "initdb", "-D", data, *INITDB],
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=False,
            **self._identity,
        )
        if made.returncode:
            raise LocalAwsError(f"initdb failed: {made.stderr.strip()[-2000:]}")
        with (data / "postgresql.conf").open("a") as conf:
            conf.write(embedded_conf(settings, port=port, sockets=self._home))
        (data / "pg_hba.conf").write_text(embedded_hba())
        return data


def _unprivileged() -> dict[str, Any]:
    """Return whom root runs the server as, in the words of Popen: PostgreSQL refuses to be root."""
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _private_folder(folder: Path, identity: dict[str, Any]) -> Path:
    folder.mkdir(mode=0o700)
    if identity:
        os.chown(folder, identity["user"], identity["group"])
    return folder


def _reachable(binaries: Path, home: Path, identity: dict[str, Any]) -> Path:
    """Return `binaries`, or a copy if the server's user cannot get at them, say in a checkout in root's home."""
    try:
        subprocess.run([binaries / "postgres", "--version"], capture_output=True, check=True, **identity)
    except PermissionError:
        shutil.copytree(binaries.parent, home / "programs", symlinks=True)
        return home / "programs" / binaries.name
    return binaries
