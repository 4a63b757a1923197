"""Serve ministack over TLS until the stop, and then end everything that it started."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import threading

from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config

from localaws.certificates import CertificateAuthority
from localaws.constants import STATE
from localaws.emulator import (
    asynchronous,
    functions,
    ministack,
    ministack_runtime,
    network,
    pool,
    secrets,
    state_machines,
)
from localaws.emulator.databases import Databases
from localaws.emulator.execution import PythonWorker, execute
from localaws.emulator.instance import EmulatorInstance
from localaws.emulator.schedules import Scheduler

STDIN = 0


def serve(instance: EmulatorInstance, listener: int, *, keep: bool) -> None:
    """Serve on the listening socket `listener` until SIGTERM and, without `keep`, the end of the parent process.

    Then stop the functions and the databases.
    """
    logging.getLogger("localaws").setLevel(logging.INFO)
    databases = Databases(CertificateAuthority(STATE / "ca"), instance)
    _complete_ministack(databases)
    try:
        # Not asyncio.run: it would wait for the end of the server, which waits for open connections.
        asyncio.new_event_loop().run_until_complete(_serve_until_stopped(listener, keep=keep))
    finally:
        pool.end_all()
        databases.stop()
        shutil.rmtree(instance.temporary, ignore_errors=True)


def _complete_ministack(databases: Databases) -> None:
    """Replace and add the parts of ministack that this project's stack needs."""
    ministack.disable_docker()
    ministack.trust_only_the_configured_root()
    ministack.keep_dependencies_of_undeleted_resources()
    ministack_runtime.replace_python_executor(execute, PythonWorker)
    pool.register()
    asynchronous.register()
    Scheduler().register()
    functions.register()
    state_machines.register()
    network.register()
    secrets.register()
    databases.register()


async def _serve_until_stopped(listener: int, *, keep: bool) -> None:
    """Run the ASGI server. ministack's own start would also listen on port 443 if it can."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process handles Ctrl-C
    if not keep:
        threading.Thread(target=_wait_for_end_of_parent, args=(loop, stop), daemon=True).start()
    serving = loop.create_task(
        hypercorn_serve(ministack.asgi_app, _config(listener), shutdown_trigger=asyncio.Event().wait)
    )
    stopping = loop.create_task(stop.wait())
    await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()


def _wait_for_end_of_parent(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    os.read(STDIN, 1)
    loop.call_soon_threadsafe(stop.set)


def _config(listener: int) -> Config:
    config = Config()
    config.bind = [f"fd://{listener}"]
    config.certfile, config.keyfile = os.environ["MINISTACK_SSL_CERT"], os.environ["MINISTACK_SSL_KEY"]
    config.keep_alive_timeout = 75
    return config
