"""The unix socket on which the proxy asks the token verifier, which is in the process that started the instance.

The socket is in a private folder. Each login is one connection, with one line of JSON in each direction.
"""

import asyncio
import json
import socketserver
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

from localaws.errors import AuthenticationError
from localaws.rds.token_verifier import TokenVerifier


class VerifierSocket:
    """The side of the token verifier. It answers in threads until it is closed."""

    def __init__(self, token_verifier: TokenVerifier, path: Path) -> None:
        self.path = path
        self._server = _Server(token_verifier, path)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="token-verifier", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


async def verify(path: str, *, user: str, token: str, host: str, port: int) -> str:
    """Verify a token, on the side of the proxy. Return the principal, or raise AuthenticationError."""
    try:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(json.dumps({"user": user, "token": token, "host": host, "port": port}).encode() + b"\n")
        response = json.loads(await reader.readline())
        writer.close()
    except (OSError, ValueError) as error:
        raise AuthenticationError(f"the token verifier does not answer: {error!r}") from error
    if "error" in response:
        raise AuthenticationError(response["error"])
    return str(response["principal"])


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, token_verifier: TokenVerifier, path: Path) -> None:
        self.token_verifier = token_verifier
        super().__init__(str(path), _Handler)


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        request = json.loads(self.rfile.readline())
        with suppress(BrokenPipeError):
            self.wfile.write(json.dumps(self._response(request)).encode() + b"\n")

    def _response(self, request: dict[str, object]) -> dict[str, str]:
        try:
            return {"principal": self.server.token_verifier.verify(**request)}  # type: ignore[arg-type] # from verify()
        except AuthenticationError as error:
            return {"error": str(error)}
        except Exception as error:  # noqa: BLE001 - a bug in a token verifier rejects the login, and the log shows it
            return {"error": f"the token verifier failed: {error!r}"}
