"""An execution environment: the unpacked zip of a function, its environment variables and its interpreter."""

from __future__ import annotations

import hashlib
import sys
import tempfile
import threading
import uuid
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from localaws.lambda_runtime.interpreter import Interpreter, Outcome

_unpacking = threading.Lock()
# The migrator forks. After a fork, macOS ends a process that uses Objective-C, and so libpq's Kerberos and the proxy
# settings of the system. https://airflow.apache.org/docs/apache-airflow/stable/installation/prerequisites.html
# https://github.com/psycopg/psycopg2/issues/1280
FORK_SAFETY = {"OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES", "PGGSSENCMODE": "disable", "no_proxy": "*"}


class ExecutionEnvironment(Interpreter):
    """The interpreter of one function, in a folder of its own.

    `config`: the function's configuration in the form of Lambda's API. `runtime`: the folder with the packages of
    Lambda's runtime. `variables`: further environment variables. `parent`: the folder of this folder and of the
    unpacked zips; default: the system's temporary folder.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        code_zip: bytes,
        *,
        runtime: Path,
        variables: Mapping[str, str],
        parent: Path | None = None,
    ) -> None:
        self._config = config
        parent = parent or Path(tempfile.gettempdir())
        self.folder = Path(tempfile.mkdtemp(prefix=f"{config['FunctionName'][-30:]}-", dir=parent))
        (self.folder / "task").symlink_to(_unpacked(code_zip, parent))
        environment = {**environment_variables(config, self.folder), **variables}
        super().__init__(self.folder, runtime=runtime, handler=config["Handler"], variables=environment)

    def invoke(self, event: object, request_id: str, *, trace_id: str | None) -> Outcome:
        """Run one invocation, with the timeout of the function."""
        timeout = float(self._config.get("Timeout", 3))
        arn = self._config["FunctionArn"]
        return self.call(event, request_id, function_arn=arn, trace_id=trace_id, timeout=timeout)


def _unpacked(code_zip: bytes, parent: Path) -> Path:
    """Return the folder with the files of a zip. All execution environments of a zip share the folder.

    To unpack a zip of 17 MB takes half a second of processor time. On AWS the folder is read-only.
    """
    folder = parent / f"task-{hashlib.sha256(code_zip).hexdigest()[:32]}"
    with _unpacking:
        if not folder.exists():
            draft = Path(tempfile.mkdtemp(prefix="unpacking-", dir=parent))
            with zipfile.ZipFile(BytesIO(code_zip)) as archive:
                archive.extractall(draft)
            draft.rename(folder)
    return folder


def environment_variables(config: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """Return the variables of Lambda's runtime and the function's own. Variables of this machine are not included."""
    name, region = config["FunctionName"], config["FunctionArn"].split(":")[3]
    return {
        **config.get("Environment", {}).get("Variables", {}),
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{config['Runtime']}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": config.get("Version", "$LATEST"),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": config.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": uuid.uuid4().hex,
        "AWS_REGION": region,
        "LAMBDA_TASK_ROOT": str(folder / "task"),
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TZ": ":UTC",
        "_HANDLER": config["Handler"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        **(FORK_SAFETY if sys.platform == "darwin" else {}),
    }
