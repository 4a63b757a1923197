"""The emulator's process: `python -m localaws.emulator RUN_FOLDER`, in the environment that `process.py` gives it.

It ends when its standard input does, that is with its parent, unless `--keep` is given; and on SIGTERM.
"""

from __future__ import annotations

import argparse
import os
import socket
from pathlib import Path

from localaws.run import HOST, Run, State


def main() -> None:
    """Take a port, say so, serve."""
    parser = argparse.ArgumentParser(prog="python -m localaws.emulator")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    run = Run(arguments.folder)
    lock = run.hold()
    listener = socket.create_server((HOST, 0), backlog=128)
    _announce(run, listener.getsockname()[1])
    from localaws.emulator import server  # noqa: PLC0415  # ministack reads the port at import

    server.serve(run, listener.detach(), keep=arguments.keep)
    os.close(lock)
    os._exit(0)  # ministack's threads, some of them asleep for minutes, would hold a normal exit up


def _announce(run: Run, port: int) -> None:
    """Tell ministack and the functions by environment variables, and everybody else by the run's state."""
    os.environ["GATEWAY_PORT"] = os.environ["LOCALAWS_GATEWAY_PORT"] = str(port)
    os.environ["AWS_ENDPOINT_URL"] = f"https://{HOST}:{port}"
    key, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    run.write_state(State(pid=os.getpid(), port=port, access_key=key, secret_key=secret))


if __name__ == "__main__":
    main()
