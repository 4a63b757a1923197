"""The helper process of a server: it starts and stops the server, and cleans up at the end.

Its standard input is a pipe from the process that started it. When that pipe closes, by `stop()` or by the end of the
starter, the supervisor stops the server and removes its folder. The first line configures the supervisor. Each further
line is a request: start, halt, restart or is-alive.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
STOP_TIMEOUT_SECONDS = 20


class SupervisedServer(Protocol):
    """The server of a supervisor."""

    def start(self) -> None:
        """Start the server again after `halt()`."""
        ...

    def halt(self, mode: str) -> None:
        """Stop the server in the mode `fast` or `immediate`, and keep its data."""
        ...

    def is_alive(self) -> bool:
        """Return whether the server runs."""
        ...

    def end(self) -> None:
        """Stop the server at once. Its data is not needed any more."""
        ...


class ServerProcess:
    """A server from the programs on this machine.

    `identity`: Popen's arguments for the operating system's user of the server.
    """

    def __init__(self, command: list[str], identity: dict[str, Any], log: str) -> None:
        self._command, self._identity, self._log = command, identity, log
        self.start()

    def start(self) -> None:
        """Start the server."""
        with Path(self._log).open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd="/",
                env={"PATH": os.defpath, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._identity,
            )

    def halt(self, mode: str) -> None:
        """Send the signal of the mode to the server and wait for its end."""
        self._process.send_signal(SIGNALS[mode])
        try:
            self._process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def is_alive(self) -> bool:
        """Return whether the server runs."""
        return self._process.poll() is None

    def end(self) -> None:
        """Stop the server at once."""
        self.halt("immediate")


class ServerContainer:
    """A server in a container. The supervisor starts before the container, so that every container has a supervisor."""

    def __init__(self, name: str) -> None:
        self._name = name

    def start(self) -> None:
        """Start the container again, with its data."""
        self._container().start()

    def halt(self, mode: str) -> None:
        """Send the signal of the mode to the server and wait until the container has ended."""
        container = self._container()
        container.kill(SIGNALS[mode])
        container.wait(timeout=STOP_TIMEOUT_SECONDS)

    def is_alive(self) -> bool:
        """Return whether the container runs."""
        return bool(self._container().status == "running")

    def end(self) -> None:
        """Remove the container and its volume."""
        with suppress(_docker().errors.NotFound):
            self._container().remove(force=True, v=True)

    def _container(self) -> Any:
        return _docker().from_env().containers.get(self._name)


def _docker() -> Any:
    """Import docker on first use: the import is slow, and a server without a container does not need it."""
    import docker.errors  # type: ignore[import-untyped] # has no types # noqa: PLC0415

    return docker


class Supervisor:
    """Starts and stops one server."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._folder: str = config["folder"]
        self._server: SupervisedServer = (
            ServerContainer(config["container"]) if "container" in config else ServerProcess(**config["process"])
        )

    def prepare(self) -> None:
        """Do the work that may take time while the server starts."""

    def handle(self, command: str, **arguments: Any) -> object:
        """Carry out a request and return the response."""
        if command == "is-alive":
            return self._server.is_alive()
        if command in ("halt", "restart"):
            self._server.halt(arguments["mode"])
        if command in ("start", "restart"):
            self._server.start()
        return None

    def close(self) -> None:
        """Stop the server and remove its folder."""
        self._server.end()
        shutil.rmtree(self._folder, ignore_errors=True)


def main(create: Callable[[dict[str, Any]], Supervisor]) -> None:
    """Handle requests until standard input closes."""
    supervisor = create(json.loads(sys.stdin.readline()))
    try:
        _respond(None)
        supervisor.prepare()
        for line in sys.stdin:
            _respond(supervisor.handle(**json.loads(line)))
    finally:
        supervisor.close()


def _respond(response: object) -> None:
    with suppress(BrokenPipeError):  # the starter may have ended
        print(json.dumps(response), flush=True)


if __name__ == "__main__":
    main(Supervisor)
