"""A synthesized template, asked the way the tests ask."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

type Properties = dict[str, Any]


@dataclass(frozen=True)
class Synthesized:
    """One stage's template."""

    body: Mapping[str, Any]

    @property
    def resources(self) -> dict[str, Properties]:
        resources: dict[str, Properties] = self.body["Resources"]
        return resources

    def of_type(self, kind: str) -> dict[str, Properties]:
        """Logical id -> properties."""
        return {name: found.get("Properties", {}) for name, found in self.resources.items() if found["Type"] == kind}

    def id_of(self, kind: str, prefix: str = "") -> str:
        """Name the only resource of a type, or the only one whose logical id starts like this."""
        (found,) = [name for name in self.of_type(kind) if name.startswith(prefix)]
        return found

    def only(self, kind: str, prefix: str = "") -> Properties:
        properties: Properties = self.resources[self.id_of(kind, prefix)]["Properties"]
        return properties

    def function(self, prefix: str) -> Properties:
        return self.only("AWS::Lambda::Function", prefix)

    def depends_on(self, name: str) -> set[str]:
        return set(self.resources[name].get("DependsOn", []))

    def statements(self) -> list[tuple[str, Properties]]:
        """(logical id of the role, statement), for every statement of every policy in the stack."""
        return [
            (role["Ref"], statement)
            for policy in self.of_type("AWS::IAM::Policy").values()
            for role in policy["Roles"]
            for statement in policy["PolicyDocument"]["Statement"]
        ]

    def who_may(self, action: str) -> dict[str, list[Any]]:
        """Role -> the resources on which it may do this."""
        allowed: dict[str, list[Any]] = {}
        for role, statement in self.statements():
            if statement["Effect"] == "Allow" and action in listed(statement["Action"]):
                allowed.setdefault(role, []).extend(listed(statement["Resource"]))
        return allowed

    def comes_after(self, name: str) -> set[str]:
        """Logical ids of everything that a resource waits for: by DependsOn or by reference, and through others."""
        found: set[str] = set()
        pending = [name]
        while pending:
            waiting = pending.pop()
            named = set(references(self.resources[waiting].get("Properties", {})))
            new = (self.depends_on(waiting) | named) & self.resources.keys()
            pending += new - found
            found |= new
        return found

    def role_of(self, function_prefix: str) -> str:
        role: str = self.function(function_prefix)["Role"]["Fn::GetAtt"][0]
        return role


def listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def references(value: object) -> Iterator[str]:
    """Logical ids in Ref and Fn::GetAtt, at any depth."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        if "Ref" in value:
            yield value["Ref"]
        elif "Fn::GetAtt" in value:
            yield value["Fn::GetAtt"][0]
        else:
            yield from references(list(value.values()))


def attribute(name: str, attribute_name: str) -> Properties:
    return {"Fn::GetAtt": [name, attribute_name]}
