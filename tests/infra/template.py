"""The resources of a synthesized template, by type, reference and permission."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

type Properties = dict[str, Any]


@dataclass(frozen=True)
class Synthesized:
    """The template of one stage."""

    body: Mapping[str, Any]

    @property
    def resources(self) -> dict[str, Properties]:
        resources: dict[str, Properties] = self.body["Resources"]
        return resources

    def of_type(self, kind: str) -> dict[str, Properties]:
        """Return the properties of all resources of a type, by logical id."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.resources.items()
            if resource["Type"] == kind
        }

    def id_of(self, kind: str, prefix: str = "") -> str:
        """Return the logical id of the only resource of a type, or of the only one whose id starts with the prefix."""
        (name,) = [name for name in self.of_type(kind) if name.startswith(prefix)]
        return name

    def properties(self, kind: str, prefix: str = "") -> Properties:
        properties: Properties = self.resources[self.id_of(kind, prefix)]["Properties"]
        return properties

    def function(self, prefix: str) -> Properties:
        return self.properties("AWS::Lambda::Function", prefix)

    def depends_on(self, name: str) -> set[str]:
        return set(self.resources[name].get("DependsOn", []))

    def statements(self) -> list[tuple[str, Properties]]:
        """Return the statements of all policies, each with the logical id of its role."""
        return [
            (role["Ref"], statement)
            for policy in self.of_type("AWS::IAM::Policy").values()
            for role in policy["Roles"]
            for statement in policy["PolicyDocument"]["Statement"]
        ]

    def roles_allowed(self, action: str) -> dict[str, list[Any]]:
        """Return the roles that are allowed an action, each with the resources."""
        allowed: dict[str, list[Any]] = {}
        for role, statement in self.statements():
            if statement["Effect"] == "Allow" and action in listed(statement["Action"]):
                allowed.setdefault(role, []).extend(listed(statement["Resource"]))
        return allowed

    def dependencies(self, name: str) -> set[str]:
        """Return all resources that are created before a resource: by DependsOn, by reference, and indirectly."""
        dependencies: set[str] = set()
        pending = [name]
        while pending:
            current = pending.pop()
            references = set(logical_ids(self.resources[current].get("Properties", {})))
            direct = (self.depends_on(current) | references) & self.resources.keys()
            pending += direct - dependencies
            dependencies |= direct
        return dependencies

    def role_of(self, function_prefix: str) -> str:
        role: str = self.function(function_prefix)["Role"]["Fn::GetAtt"][0]
        return role


def listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def logical_ids(value: object) -> Iterator[str]:
    """Return the logical ids in Ref and Fn::GetAtt, at any depth."""
    if isinstance(value, list):
        for item in value:
            yield from logical_ids(item)
    elif isinstance(value, dict):
        if "Ref" in value:
            yield value["Ref"]
        elif "Fn::GetAtt" in value:
            yield value["Fn::GetAtt"][0]
        else:
            yield from logical_ids(list(value.values()))


def attribute(name: str, attribute_name: str) -> Properties:
    return {"Fn::GetAtt": [name, attribute_name]}
