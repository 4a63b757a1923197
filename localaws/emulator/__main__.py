"""The process of the emulator: `python -m localaws.emulator FOLDER`, in the environment of `process.py`.

The process ends on SIGTERM and, unless `--keep` is given, at the end of its standard input, which is the end of the
process that started it.
"""

from __future__ import annotations

import argparse
import os
import socket
from pathlib import Path

from localaws.constants import HOST
from localaws.emulator.instance import EmulatorInstance, State


def main() -> None:
    """Reserve a port, write it to the instance's folder, and serve."""
    parser = argparse.ArgumentParser(prog="python -m localaws.emulator")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    instance = EmulatorInstance(arguments.folder)
    lock = instance.hold()
    listener = socket.create_server((HOST, 0), backlog=128)
    _publish_port(instance, listener.getsockname()[1])
    from localaws.emulator import server  # noqa: PLC0415  # ministack reads the port at import

    server.serve(instance, listener.detach(), keep=arguments.keep)
    os.close(lock)
    os._exit(0)  # a normal exit would wait for ministack's threads, some of which sleep for minutes


def _publish_port(instance: EmulatorInstance, port: int) -> None:
    """Write the port to environment variables, for ministack and the functions, and to the state of the instance."""
    os.environ["GATEWAY_PORT"] = os.environ["LOCALAWS_GATEWAY_PORT"] = str(port)
    os.environ["AWS_ENDPOINT_URL"] = f"https://{HOST}:{port}"
    key, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    instance.write_state(State(pid=os.getpid(), port=port, access_key=key, secret_key=secret))


if __name__ == "__main__":
    main()
