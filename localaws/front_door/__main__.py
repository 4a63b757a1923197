"""Run a front door until standard input closes, which says that the process that started it has gone."""

import asyncio
import json
import sys

from localaws.front_door.door import FrontDoor, Order


async def run() -> None:
    """Read the order, open the door, print the port."""
    door = FrontDoor(Order.from_json(json.loads(sys.stdin.readline())))
    print(await door.open(), flush=True)
    starter_gone = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, starter_gone.set)  # nothing more is said: readable means closed
    await starter_gone.wait()


if __name__ == "__main__":
    asyncio.run(run())
