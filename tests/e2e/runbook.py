"""Read the commands of the runbook, and check those of the aws CLI against the API's own model."""

import re
import shlex
from dataclasses import dataclass
from typing import Any

import jmespath  # type: ignore[import-untyped]  # without stubs
from botocore import xform_name
from botocore.client import BaseClient
from botocore.model import ListShape, Shape, StructureShape
from botocore.validate import ParamValidator

from localaws.constants import CHECKOUT

PAGE = CHECKOUT / "docs" / "runbook.md"
GLOBAL_OPTIONS = {"--query", "--output", "--region", "--profile", "--cli-binary-format"}
# `aws logs tail` is a command of the CLI alone: https://docs.aws.amazon.com/cli/latest/reference/logs/tail.html
TAIL_OPTIONS = dict.fromkeys(("--since", "--filter-pattern", "--follow", "--format"))


def commands() -> list[list[str]]:
    """Return the words of each command of the page, once."""
    blocks = re.findall(r"^```console\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    assert all(line.startswith("$ ") for line in lines), "a block of commands has only commands"
    return [shlex.split(line) for line in dict.fromkeys(line.removeprefix("$ ") for line in lines)]


@dataclass(frozen=True)
class AwsCall:
    """A command of the aws CLI as a call of the API. `waiter` is the name in `aws SERVICE wait NAME`."""

    service: str
    method: str
    arguments: dict[str, Any]
    query: str
    waiter: str = ""

    @classmethod
    def parse(cls, words: list[str], client: BaseClient) -> "AwsCall":
        """Return the call of a command. Fails if the operation or an option does not exist, or has a wrong type."""
        _, service, name, *rest = words
        waiter = ""
        if name == "wait":
            waiter, *rest = rest
            name = xform_name(client.get_waiter(waiter.replace("-", "_")).config.operation, "-")  # type: ignore[attr-defined]  # a WaiterConfig
        if (service, name) == ("logs", "tail"):
            group, *options = rest
            values = dict(zip(options[::2], options[1::2], strict=True))
            assert values.keys() <= TAIL_OPTIONS.keys(), f"an option does not exist: {' '.join(words)}"
            pattern = {"filterPattern": values["--filter-pattern"]} if "--filter-pattern" in values else {}
            return cls("logs", "filter_log_events", {"logGroupName": group, **pattern}, "")
        method = name.replace("-", "_")
        operation = client.meta.method_to_api_mapping[method]
        shape = client.meta.service_model.operation_model(operation).input_shape
        assert isinstance(shape, StructureShape)
        arguments, query = _arguments(rest, shape)
        report = ParamValidator().validate(arguments, shape)
        assert not report.has_errors(), f"{' '.join(words)}: {report.generate_report()}"
        return cls(service, method, arguments, query, waiter)


def _arguments(words: list[str], shape: StructureShape) -> tuple[dict[str, Any], str]:
    members = {f"--{xform_name(name, '-')}": (name, member) for name, member in shape.members.items()}
    arguments: dict[str, Any] = {}
    query = ""
    while words:
        option, *words = words
        if option == "/dev/stdout":  # the file of `aws lambda invoke` for the answer
            continue
        if option in GLOBAL_OPTIONS:
            value, *words = words
            query = value if option == "--query" else query
            continue
        is_negative = option.startswith("--no-") and option not in members
        name, member = members[option.replace("--no-", "--", 1) if is_negative else option]
        if member.type_name == "boolean":
            arguments[name] = not is_negative
            continue
        values = []
        while words and not words[0].startswith("--") and words[0] != "/dev/stdout":
            value, *words = words
            values.append(value)
        arguments[name] = _value(values, member)
    if query:
        jmespath.compile(query)
    return arguments, query


def _value(values: list[str], shape: Shape) -> Any:
    if isinstance(shape, ListShape):
        return [_value([value], shape.member) for value in values]
    [value] = values
    return int(value) if shape.type_name in ("integer", "long") else value
