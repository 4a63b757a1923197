"""Run a front door until standard input closes, which says that the process that started it has gone."""

import asyncio
import json
import os
import sys

from localaws.front_door.door import FrontDoor, Order


async def run() -> None:
    """Read the order, open the door, say so."""
    door = FrontDoor(Order.from_json(json.loads(sys.stdin.readline())))
    await door.open()
    print("open", flush=True)
    starter_gone = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, starter_gone.set)  # nothing more is said: readable means closed
    await starter_gone.wait()
    os._exit(0)  # a normal exit would wait for each open session: a client has 30 s to answer the end of TLS


if __name__ == "__main__":
    asyncio.run(run())
