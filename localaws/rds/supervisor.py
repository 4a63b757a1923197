"""The helper process of a DB instance: the supervisor of its server, with the proxy in a thread.

The proxy is not in the process that starts the instance: libpq's cancel blocks the process of the client until the
server has answered.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from localaws.postgres.supervisor import Supervisor, main

if TYPE_CHECKING:
    from localaws.rds.proxy.proxy import Proxy


class RdsSupervisor(Supervisor):
    """Starts and stops a server and its proxy."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self._loop = asyncio.new_event_loop()
        self._proxy: Proxy | None = None

    def prepare(self) -> None:
        """Import the proxy, and start its event loop."""
        from localaws.rds.proxy import config, proxy  # noqa: PLC0415 - takes time, while the server starts

        self._config_type, self._proxy_type = config.ProxyConfig, proxy.Proxy
        threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True).start()

    def handle(self, command: str, **arguments: Any) -> object:
        """Carry out a request: open-proxy, close-proxy, or a request for the server."""
        if command == "open-proxy":
            self._proxy = self._proxy_type(self._config_type.from_json(arguments["config"]))
            self._run(self._proxy.open())
            return None
        if command == "close-proxy":
            self._close_proxy()
            return None
        return super().handle(command, **arguments)

    def close(self) -> None:
        """Close the proxy and the server. The proxy is first: it writes into the folder that is removed."""
        try:
            self._close_proxy()
        finally:
            super().close()

    def _close_proxy(self) -> None:
        proxy, self._proxy = self._proxy, None
        if proxy:
            self._run(proxy.close())

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


if __name__ == "__main__":
    main(RdsSupervisor)
    os._exit(0)  # a normal exit would wait for the threads of the proxy
