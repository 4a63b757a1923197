"""The process that cleans up after a server, whatever becomes of the process that started it.

Its standard input is a pipe whose other end only the starter holds: when that closes, by `stop()` or because the
starter was killed, the server is stopped and its folder removed. The first line says what to keep; each further one
asks for a stop that keeps the data, a start, a restart, or whether the server is alive. Every line is answered.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
PATIENCE = 20  # seconds a server may take to stop


class Charge(Protocol):
    """What is kept."""

    def halt(self, mode: str) -> None:
        """Stop the server as `mode` says, and keep its data."""
        ...

    def start(self) -> None:
        """Start the server again after `halt()`."""
        ...

    def alive(self) -> bool:
        """Say whether it runs."""
        ...

    def end(self) -> None:
        """Stop it for good; its data is not needed any more."""
        ...


class ServerProcess:
    """A server on this machine, a child of this process. `identity`: as whom it runs, in the words of Popen."""

    def __init__(self, command: list[str], identity: dict[str, Any], log: str) -> None:
        self._command, self._identity, self._log = command, identity, log
        self._server = self._start()

    def halt(self, mode: str) -> None:
        """Signal the server and wait for its end."""
        self._stop(SIGNALS[mode])

    def start(self) -> None:
        """Start the server on the data that it left."""
        self._server = self._start()

    def alive(self) -> bool:
        """Say whether the server runs."""
        return self._server.poll() is None

    def end(self) -> None:
        """End the server at once."""
        self._stop(signal.SIGQUIT)

    def _start(self) -> subprocess.Popen[bytes]:
        with Path(self._log).open("ab") as log:
            return subprocess.Popen(
                self._command,
                cwd="/",
                env={"PATH": os.defpath, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._identity,
            )

    def _stop(self, how: signal.Signals) -> None:
        self._server.send_signal(how)
        try:
            self._server.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()


class NamedContainer:
    """A container, which may not exist yet: the keeper comes first, so that there is never one without a keeper."""

    def __init__(self, name: str) -> None:
        self._name = name

    def halt(self, mode: str) -> None:
        """Signal the server and wait until the container has ended."""
        container = self._find()
        container.kill(SIGNALS[mode])
        container.wait(timeout=PATIENCE)

    def start(self) -> None:
        """Start the container again, with the data in it."""
        self._find().start()

    def alive(self) -> bool:
        """Say whether the container runs."""
        return bool(self._find().status == "running")

    def end(self) -> None:
        """Remove the container."""
        with suppress(_docker().errors.NotFound):
            self._find().remove(force=True, v=True)

    def _find(self) -> Any:
        return _docker().from_env().containers.get(self._name)


def _docker() -> Any:
    """Import docker where there is a container: it takes longer than everything else here."""
    import docker.errors  # type: ignore[import-untyped] # has no types # noqa: PLC0415

    return docker


def main() -> None:
    """Keep what the first line describes until standard input closes."""
    order = json.loads(sys.stdin.readline())
    charge: Charge
    charge = NamedContainer(order["container"]) if "container" in order else ServerProcess(**order["process"])
    _answer("kept")
    try:
        for line in sys.stdin:
            _answer(_obey(charge, line.strip()))
    finally:
        charge.end()
        shutil.rmtree(order["folder"], ignore_errors=True)


def _obey(charge: Charge, order: str) -> str:
    if order == "status":
        return "alive" if charge.alive() else "dead"
    if order == "start":
        charge.start()
    elif order == "stop":
        charge.halt("fast")
    else:
        charge.halt(order)
        charge.start()
    return "done"


def _answer(line: str) -> None:
    with suppress(BrokenPipeError):  # the starter may be gone already
        print(line, flush=True)


if __name__ == "__main__":
    main()
