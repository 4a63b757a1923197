"""The APIs of AWS for the functions of a rehearsal: the role setup reads the master secret. Other calls are denied."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self, override

from localaws.constants import HOST

SECRET_ARN = "arn:aws:secretsmanager:eu-central-1:000000000000:secret:master"  # noqa: S105 - a name, not a secret


class AwsApi:
    """Serves the master secret to one access key, until the end of the context."""

    def __init__(self, *, access_key: str, username: str, password: str) -> None:
        self._server = _Server((HOST, 0), _Handler)
        self._server.access_key = access_key
        self._server.secret = json.dumps({"username": username, "password": password})
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def endpoint(self) -> str:
        """Return the URL of all APIs."""
        return f"http://{HOST}:{self._server.server_port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    access_key: str
    secret: str


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        action = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        is_role_setup = f"Credential={self.server.access_key}/" in self.headers.get("Authorization", "")
        if action == "GetSecretValue" and is_role_setup:
            self._respond(200, json.dumps({"ARN": SECRET_ARN, "Name": "master", "SecretString": self.server.secret}))
        elif action:
            self._respond(400, json.dumps({"__type": "AccessDeniedException", "Message": f"{action} is not allowed"}))
        else:
            self._respond(403, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>")

    def _respond(self, status: int, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Write nothing: standard error belongs to the command."""
