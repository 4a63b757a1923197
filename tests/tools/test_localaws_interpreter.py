"""The interpreter of the functions, without an emulator."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from localaws.lambda_runtime.interpreter import Interpreter, Outcome

VARIABLES = {
    "AWS_LAMBDA_FUNCTION_NAME": "function",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
    "AWS_LAMBDA_LOG_GROUP_NAME": "group",
    "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
}

type Start = Callable[..., Interpreter]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts an interpreter with the code of a zip."""
    with ExitStack() as stack:

        def started(code: str, handler: str = "index.handler") -> Interpreter:
            task, runtime = tmp_path / "task", tmp_path / "runtime"
            for folder in (task, runtime):
                folder.mkdir()
            (task / "index.py").write_text(code)
            (runtime / "runtime_package.py").write_text("name = 'the runtime'\n")
            interpreter = Interpreter(tmp_path, runtime=runtime, handler=handler, variables=VARIABLES)
            return stack.enter_context(interpreter)

        yield started


def call(interpreter: Interpreter, event: object = None, *, timeout: float = 5) -> Outcome:
    return interpreter.call(event, "request-1", function_arn="arn", trace_id=None, timeout=timeout)


def result_of(outcome: Outcome) -> Any:
    return json.loads(outcome["payload"])


def test_a_handler_imports_from_its_zip_first_and_from_the_runtime_last(start: Start) -> None:
    interpreter = start(
        "import sys, runtime_package\ndef handler(event, context): return [sys.path, runtime_package.name]\n"
    )
    assert interpreter.wait_until_ready("start") == {}
    path, name = result_of(call(interpreter))
    assert name == "the runtime"
    assert path[0].endswith("/task")
    assert path[-1].endswith("/runtime")
    assert not [entry for entry in path if "site-packages" in entry or entry.startswith(sys.prefix)]


def test_an_import_error_has_the_type_and_the_message_of_lambda(start: Start) -> None:
    outcome = start("import sqlalchemy\n").wait_until_ready("start")
    assert outcome["error"]["errorType"] == "Runtime.ImportModuleError"
    assert outcome["error"]["errorMessage"] == "Unable to import module 'index': No module named 'sqlalchemy'"


def test_a_missing_handler_has_the_error_type_of_lambda(start: Start) -> None:
    assert start("x = 1\n").wait_until_ready("start")["error"]["errorType"] == "Runtime.HandlerNotFound"


def test_a_result_that_is_not_json_is_an_error(start: Start) -> None:
    interpreter = start("def handler(event, context): return object()\n")
    interpreter.wait_until_ready("start")
    assert call(interpreter)["error"]["errorType"] == "Runtime.MarshalError"


def test_an_exception_leaves_the_environment_alive(start: Start) -> None:
    interpreter = start(
        "calls = []\ndef handler(event, context):\n    calls.append(1)\n    return 1 / event or len(calls)\n"
    )
    interpreter.wait_until_ready("start")
    assert call(interpreter, 0)["error"]["errorType"] == "ZeroDivisionError"
    assert call(interpreter, 1)["payload"] == "1.0"
    assert interpreter.is_alive()


def test_a_large_result_is_returned_completely(start: Start) -> None:
    interpreter = start("def handler(event, context): return 'é' * 2_000_000\n")
    interpreter.wait_until_ready("start")
    assert result_of(call(interpreter)) == "é" * 2_000_000


def test_a_timeout_kills_even_a_process_that_ignores_signals(start: Start) -> None:
    ignoring = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    interpreter = start(f"{ignoring}def handler(event, context): time.sleep(60)\n")
    interpreter.wait_until_ready("start")
    outcome = call(interpreter, timeout=0.3)
    assert outcome["error"]["errorType"] == "Sandbox.Timedout"
    assert outcome["error"]["errorMessage"].endswith("Task timed out after 0.30 seconds")
    assert interpreter.process.returncode == -signal.SIGKILL


def test_a_killed_process_is_an_error_with_the_signal(start: Start) -> None:
    interpreter = start("import os\ndef handler(event, context): os.kill(os.getpid(), 9)\n")
    interpreter.wait_until_ready("start")
    outcome = call(interpreter)
    assert outcome["error"]["errorType"] == "Runtime.ExitError"
    assert "signal: 9" in outcome["error"]["errorMessage"]


def test_the_new_log_lines_are_those_since_the_last_call(start: Start) -> None:
    interpreter = start("print('importing')\ndef handler(event, context): print(event)\n")
    interpreter.wait_until_ready("start")
    call(interpreter, "one")
    assert interpreter.new_log_lines() == "importing\none\n"
    call(interpreter, "two")
    assert interpreter.new_log_lines() == "two\n"


def test_the_process_ends_at_the_end_of_its_standard_input(start: Start) -> None:
    interpreter = start("def handler(event, context): ...\n")
    interpreter.wait_until_ready("start")
    assert interpreter.process.stdin
    interpreter.process.stdin.close()
    assert interpreter.process.wait(5) == 1


def test_each_invocation_has_its_own_trace_header(start: Start) -> None:
    interpreter = start("import os\ndef handler(event, context): return os.environ.get('_X_AMZN_TRACE_ID')\n")
    interpreter.wait_until_ready("start")
    traced = interpreter.call(None, "request-1", function_arn="arn", trace_id="Root=1", timeout=5)
    assert result_of(traced) == "Root=1"
    assert result_of(call(interpreter)) is None


def test_the_context_has_request_id_function_name_and_remaining_time(start: Start) -> None:
    code = (
        "def handler(event, context):\n"
        "    return [context.aws_request_id, context.function_name, context.get_remaining_time_in_millis() <= 5000]\n"
    )
    interpreter = start(code)
    interpreter.wait_until_ready("start")
    assert result_of(call(interpreter)) == ["request-1", "function", True]
    assert os.getpid() != interpreter.process.pid


@pytest.mark.parametrize(
    "change",
    [
        "open('new', 'w')",
        "pathlib.Path('index.py').open('r+')",
        "os.open(__file__, os.O_WRONLY)",
        "os.mkdir('new')",
        "pathlib.Path(__file__).unlink()",
        "os.rename(__file__, '/tmp/index.py')",
        "tempfile.NamedTemporaryFile(dir=os.path.dirname(__file__))",
    ],
)
def test_code_cannot_change_the_folder_of_the_zip(start: Start, change: str) -> None:
    interpreter = start(f"import os, pathlib, tempfile\ndef handler(event, context): {change}\n")
    interpreter.wait_until_ready("start")
    error = call(interpreter)["error"]
    assert error["errorType"] == "OSError"
    assert error["errorMessage"].startswith("[Errno 30] Read-only file system")


def test_code_can_read_the_folder_of_the_zip_and_write_temporary_files(start: Start) -> None:
    interpreter = start(
        "import os, tempfile\n"
        "def handler(event, context):\n"
        "    with tempfile.TemporaryDirectory() as folder, open(folder + '/x', 'w') as file:\n"
        "        return [open(__file__).read()[:6], file.write('x'), os.listdir('.')]\n"
    )
    interpreter.wait_until_ready("start")
    assert result_of(call(interpreter)) == ["import", 1, ["index.py"]]
