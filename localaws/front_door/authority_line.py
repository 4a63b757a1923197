"""The line on which the front door asks the authority, which lives in another process: the one that started the server.

A unix socket in a private folder; for each login one connection, one line of JSON there and one back.
"""

import asyncio
import json
import socketserver
import threading
from contextlib import suppress
from pathlib import Path

from localaws.authority import Authority
from localaws.errors import Refused


class AuthorityLine:
    """The end where the authority is: answers in threads until stopped."""

    def __init__(self, authority: Authority, path: Path) -> None:
        self._server = _Server(authority, path)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="localaws-authority", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


async def ask(path: str, *, user: str, token: str, host: str, port: int) -> str:
    """Ask from the end where the front door is; return the principal, or raise Refused with the reason."""
    try:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(json.dumps({"user": user, "token": token, "host": host, "port": port}).encode() + b"\n")
        answer = json.loads(await reader.readline())
        writer.close()
    except (OSError, ValueError) as error:
        raise Refused(f"the authority does not answer: {error!r}") from error
    if "refused" in answer:
        raise Refused(answer["refused"])
    return str(answer["principal"])


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, authority: Authority, path: Path) -> None:
        self.authority = authority
        super().__init__(str(path), _Handler)


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        question = json.loads(self.rfile.readline())
        with suppress(BrokenPipeError):
            self.wfile.write(json.dumps(self._answer(question)).encode() + b"\n")

    def _answer(self, question: dict[str, object]) -> dict[str, str]:
        try:
            return {"principal": self.server.authority.check(**question)}  # type: ignore[arg-type] # our own JSON
        except Refused as reason:
            return {"refused": str(reason)}
        except Exception as error:  # noqa: BLE001 - an authority with a bug lets nobody in, and says so in the log
            return {"refused": f"the authority failed: {error!r}"}
