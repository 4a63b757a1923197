"""The runtime interface client: the program of an execution environment, which calls the handler.

`python -I -S -B runtime_client.py CHANNEL TASK_ROOT RUNTIME HANDLER` runs isolated, without site-packages, so that this
file imports the standard library only. On the socket CHANNEL it sends one line with the outcome of the start, and then
one line of JSON for each line of JSON. It ends at the end of its standard input.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import socket
import sys
import threading
import time
import traceback
from typing import IO, Any


class Context:
    """The context object of AWS's Python runtime."""

    identity = None
    client_context = None

    def __init__(self, invocation: dict[str, Any]) -> None:
        self.aws_request_id = invocation["request_id"]
        self.invoked_function_arn = invocation["function_arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self._deadline = invocation["deadline"]

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the timeout of the function."""
        return max(0, int((self._deadline - time.time()) * 1000))


def main(channel: str, task_root: str, runtime: str, handler: str) -> None:
    """Serve invocations until the channel closes."""
    threading.Thread(target=exit_at_end_of_input, args=(os.dup(0),), daemon=True).start()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    with socket.socket(fileno=int(channel)) as connection, connection.makefile("rw", encoding="utf-8") as stream:
        sys.path.insert(0, task_root)
        sys.path.append(runtime)
        make_read_only(task_root)
        function, failure = load(handler)
        send(stream, failure or {})
        if failure:
            sys.exit(1)
        for line in stream:
            send(stream, invoke(function, json.loads(line)))


def exit_at_end_of_input(standard_input: int) -> None:
    """End this process, also during an invocation, when the other end of its standard input closes."""
    os.read(standard_input, 1)
    os._exit(1)


# The positions of the changed paths among the arguments of an audit event.
CHANGES = {
    "os.link": (1,),
    "os.mkdir": (0,),
    "os.remove": (0,),
    "os.rename": (0, 1),
    "os.rmdir": (0,),
    "os.symlink": (1,),
    "os.truncate": (0,),
    "shutil.rmtree": (0,),
}


def changed_paths(event: str, arguments: tuple[Any, ...]) -> list[Any]:
    """Return the paths that an audited call would change."""
    if event == "open":
        return [arguments[0]] if arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC) else []
    positions = CHANGES.get(event, ())
    is_relative_to_descriptor = positions and event != "os.truncate" and arguments[-1] not in (-1, None)
    return [] if is_relative_to_descriptor else [arguments[position] for position in positions]


def make_read_only(folder: str) -> None:
    """Make Python fail to change files below a folder, also as root, as Lambda's file system does.

    https://docs.python.org/3/library/audit_events.html
    """
    roots = tuple(dict.fromkeys(os.path.join(path, "") for path in (folder, os.path.realpath(folder))))  # noqa: PTH118

    def reject(event: str, arguments: tuple[Any, ...]) -> None:
        for path in changed_paths(event, arguments):
            if isinstance(path, (str, bytes, os.PathLike)) and os.path.abspath(os.fsdecode(path)).startswith(roots):  # noqa: PTH100
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)

    sys.addaudithook(reject)


def load(handler: str) -> tuple[Any, dict[str, Any] | None]:
    """Import the handler. Return the handler, and the error in the words of Lambda."""
    module, _, name = handler.replace("/", ".").rpartition(".")
    try:
        return getattr(importlib.import_module(module), name), None
    except ImportError as error:
        traceback.print_exc()
        return None, error_payload(error, "Runtime.ImportModuleError", f"Unable to import module '{module}': {error}")
    except AttributeError as error:
        traceback.print_exc()
        message = f"Handler '{name}' missing on module '{module}': {error}"
        return None, error_payload(error, "Runtime.HandlerNotFound", message)
    except Exception as error:  # noqa: BLE001  # Lambda reports every exception of a function
        traceback.print_exc()
        return None, error_payload(error, type(error).__name__, str(error))


def invoke(function: Any, invocation: dict[str, Any]) -> dict[str, Any]:
    """Call the handler. Return its result as JSON text, or its exception in the form of Lambda."""
    set_trace_id(invocation["trace_id"])
    try:
        result = function(invocation["event"], Context(invocation))
    except Exception as error:  # noqa: BLE001  # as above
        traceback.print_exc()
        return error_payload(error, type(error).__name__, str(error))
    try:
        return {"payload": json.dumps(result, ensure_ascii=False)}
    except (TypeError, ValueError) as error:
        return error_payload(error, "Runtime.MarshalError", f"Unable to marshal response: {error}")


def set_trace_id(trace_id: str | None) -> None:
    """Set the environment variable of X-Ray's header, which differs for each invocation."""
    if trace_id:
        os.environ["_X_AMZN_TRACE_ID"] = trace_id
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)


def error_payload(error: Exception, kind: str, message: str) -> dict[str, Any]:
    """Return the error payload of Lambda for an exception."""
    trace = traceback.format_list(traceback.extract_tb(error.__traceback__)[1:])
    return {"error": {"errorMessage": message, "errorType": kind, "stackTrace": trace}}


def send(stream: IO[str], message: dict[str, Any]) -> None:
    """Write one line, after the output of the handler."""
    sys.stdout.flush()
    sys.stderr.flush()
    stream.write(json.dumps(message) + "\n")
    stream.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
