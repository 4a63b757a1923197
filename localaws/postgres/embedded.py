"""PostgreSQL from the programs on this machine, for machines without Docker."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import Any

from localaws.errors import LocalAwsError
from localaws.postgres.access import ServerAccess
from localaws.postgres.configuration import INITDB, embedded_conf, embedded_hba
from localaws.postgres.helper_process import HelperProcess
from localaws.postgres.server import Server, ServerConfig, free_port


class EmbeddedServer(Server):
    """A server with a unix socket in a folder that only the user of the server and root can enter."""

    def __init__(self, config: ServerConfig, folder: Path, *, programs: Path, supervisor_file: Path) -> None:
        identity = _unprivileged_identity() if os.geteuid() == 0 else {}
        home = _private_subfolder(folder / "server", identity)
        programs = _accessible_programs(programs, home, identity)
        port = free_port()
        data = _create_cluster(config, port, home=home, programs=programs, identity=identity)
        self._data = data
        self._log = folder / "server.log"
        self._log.touch(mode=0o600)
        command = [str(programs / "postgres"), "-D", str(data)]
        process = {"command": command, "identity": identity, "log": str(self._log)}
        supervisor_config = {"folder": str(folder), "process": process}
        supervisor = HelperProcess(supervisor_file, supervisor_config, log=folder / "supervisor.log")
        super().__init__(folder, ServerAccess({"host": str(home), "port": port}, password_port=port), supervisor)
        try:
            self._wait_until_ready()
        except BaseException:
            supervisor.stop()
            raise

    def save_data(self, folder: Path) -> None:
        """Copy the data into a new folder. The server is stopped meanwhile: its sessions end."""
        self.suspend()
        try:
            shutil.copytree(self._data, folder)
        finally:
            self.resume()

    def exit_log(self) -> str | None:
        """Return the end of the log if the server has ended."""
        return None if self.supervisor.request("is-alive") else self._log.read_text()[-2000:].strip()


def _unprivileged_identity() -> dict[str, Any]:
    """Return Popen's arguments for the user that runs the server when this process runs as root.

    PostgreSQL does not start as root.
    """
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _private_subfolder(folder: Path, identity: dict[str, Any]) -> Path:
    folder.mkdir(mode=0o700)
    if identity:
        os.chown(folder, identity["user"], identity["group"])
    return folder


def _accessible_programs(programs: Path, home: Path, identity: dict[str, Any]) -> Path:
    """Return `programs`, or a copy if the user of the server cannot read them (a checkout in root's home)."""
    try:
        subprocess.run([programs / "postgres", "--version"], capture_output=True, check=True, **identity)
    except PermissionError:
        shutil.copytree(programs.parent, home / "programs", symlinks=True)
        return home / "programs" / programs.name
    return programs


def _create_cluster(config: ServerConfig, port: int, *, home: Path, programs: Path, identity: dict[str, Any]) -> Path:
    data = home / "data"
    if config.data is None:
        _run_initdb(data, programs=programs, identity=identity)
    else:
        _copy_data(config.data, data, identity)
    with (data / "postgresql.conf").open("a") as conf:
        conf.write(embedded_conf(config, port=port, sockets=home))
    (data / "pg_hba.conf").write_text(embedded_hba(config))
    return data


def _copy_data(source: Path, data: Path, identity: dict[str, Any]) -> None:
    shutil.copytree(source, data)
    data.chmod(0o700)
    if identity:
        for path in (data, *data.rglob("*")):
            os.chown(path, identity["user"], identity["group"])


def _run_initdb(data: Path, *, programs: Path, identity: dict[str, Any]) -> None:
    initdb = subprocess.run(
        [programs / "initdb", "-D", data, *INITDB],
        cwd="/",
        env={"PATH": os.defpath, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
        **identity,
    )
    if initdb.returncode:
        raise LocalAwsError(f"initdb failed: {initdb.stderr.strip()[-2000:]}")
