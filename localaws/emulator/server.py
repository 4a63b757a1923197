"""Serving ministack over TLS until told to stop, and leaving nothing behind."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import threading

from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config

from localaws.certificates import Certificates
from localaws.emulator import (
    asynchronous,
    functions,
    ministack,
    ministack_runtime,
    network,
    secrets,
    state_machines,
)
from localaws.emulator.database import Databases
from localaws.emulator.schedules import Scheduler
from localaws.lambda_runtime import environments
from localaws.lambda_runtime.execution import ExecutionEnvironment, execute
from localaws.run import STATE, Run

STDIN = 0


def serve(run: Run, listener: int, *, keep: bool) -> None:
    """Serve on the listening socket `listener` until SIGTERM or, unless `keep`, the parent's end.

    Then stop everything that was started here.
    """
    logging.getLogger("localaws").setLevel(logging.INFO)
    databases = Databases(Certificates(STATE / "ca"), run)
    _complete_ministack(databases)
    try:
        # Not asyncio.run: it would wait for the server's end, and that for whoever keeps a connection open.
        asyncio.new_event_loop().run_until_complete(_serve_until_stopped(listener, keep=keep))
    finally:
        environments.end_all()
        databases.stop()
        shutil.rmtree(run.temporary, ignore_errors=True)


def _complete_ministack(databases: Databases) -> None:
    """Add what the stack needs and ministack lacks."""
    ministack.keep_away_from_docker()
    ministack.trust_only_the_configured_root()
    ministack.keep_what_undeleted_resources_need()
    ministack_runtime.replace_python_executor(execute, ExecutionEnvironment)
    environments.register()
    asynchronous.register()
    Scheduler().register()
    functions.register()
    state_machines.register()
    network.register()
    secrets.register()
    databases.register()


async def _serve_until_stopped(listener: int, *, keep: bool) -> None:
    """Run the ASGI server ourselves: ministack's own start would also take port 443 whenever it can."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    if not keep:
        threading.Thread(target=_wait_for_parents_end, args=(loop, stop), daemon=True).start()
    serving = loop.create_task(
        hypercorn_serve(ministack.asgi_app, _config(listener), shutdown_trigger=asyncio.Event().wait)
    )
    stopping = loop.create_task(stop.wait())
    await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()


def _wait_for_parents_end(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    os.read(STDIN, 1)
    loop.call_soon_threadsafe(stop.set)


def _config(listener: int) -> Config:
    config = Config()
    config.bind = [f"fd://{listener}"]
    config.certfile, config.keyfile = os.environ["MINISTACK_SSL_CERT"], os.environ["MINISTACK_SSL_KEY"]
    config.keep_alive_timeout = 75
    return config
