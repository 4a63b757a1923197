"""The private names of ministack for resources and policies. No module but this and ministack_runtime.py uses any.

The exact version of ministack is pinned for this reason. `tests/unit/test_localaws_ministack.py` checks the
assumptions about these names. ministack reads its configuration from environment variables at import, so that only
the process of the emulator imports this module.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ministack import app as _app
from ministack.core import iam_evaluator as _iam
from ministack.core import responses as _responses
from ministack.services import cloudformation as _cloudformation
from ministack.services import ec2 as _ec2
from ministack.services import rds as _rds
from ministack.services import secretsmanager as _secrets
from ministack.services.cloudformation import provisioners as _provisioners
from ministack.services.cloudformation import stacks as _stacks

type Properties = dict[str, Any]
type Attributes = dict[str, str]
type Create = Callable[[str, Properties, str], tuple[str, Attributes]]
type Update = Callable[[str, Properties, Properties, str, str], tuple[str, Attributes]]
type Delete = Callable[[str, Properties], None]

asgi_app = _app.app


@dataclass(frozen=True)
class ResourceType:
    """The handlers of CloudFormation for one resource type.

    `create(logical id, properties, stack)` and `update(physical id, old, new, stack, logical id)` return the physical
    id and the attributes for `Fn::GetAtt`. Without `update`, ministack replaces the resource on every change.
    """

    create: Create
    delete: Delete
    update: Update | None = None

    @classmethod
    def registered(cls, name: str) -> ResourceType:
        """Return ministack's own handlers of the type."""
        handler = _provisioners._RESOURCE_HANDLERS[name]  # noqa: SLF001  # there is no public registry
        return cls(create=handler["create"], delete=handler["delete"], update=handler.get("update"))

    def register(self, name: str, *, slow: bool = False) -> None:
        """Replace the handlers of the type. Those of a `slow` type run in a thread, and do not block the event loop."""
        handler: dict[str, Any] = {"create": self.create, "delete": self.delete}
        if self.update:
            handler |= {"update": self.update, "update_with_logical_id": True}
        # ministack has no public way to add a type, and rejects a template with an unknown type.
        _provisioners._RESOURCE_HANDLERS[name] = {  # noqa: SLF001
            **_provisioners._RESOURCE_HANDLERS.get(name, {}),  # noqa: SLF001
            **handler,
        }
        if slow:
            _run_in_thread(name)


def _run_in_thread(resource_type: str) -> None:
    original = _stacks._runs_on_worker_thread  # noqa: SLF001  # no public setting
    _stacks._runs_on_worker_thread = lambda name: name == resource_type or original(name)  # noqa: SLF001


def keep_dependencies_of_undeleted_resources() -> None:
    """Keep the dependencies of a resource that could not be deleted, when a stack is deleted. AWS does so too."""
    delete = _stacks._delete_resource  # noqa: SLF001  # every deletion of a resource calls it

    def guarded(kind: str, physical_id: str, properties: Properties, stack_name: str, logical_id: str) -> None:
        stack = _cloudformation._stacks.get(stack_name)  # noqa: SLF001  # the API does not return dependencies
        if stack and stack["StackStatus"] == "DELETE_IN_PROGRESS":
            resources, template = stack["_resources"], stack["_template"]["Resources"]
            failed = {name for name, resource in resources.items() if resource["ResourceStatus"] == "DELETE_FAILED"}
            if logical_id in _stacks._with_dependencies(failed - {logical_id}, template, set(resources)):  # noqa: SLF001
                raise ValueError("a resource that depends on it could not be deleted")
        delete(kind, physical_id, properties, stack_name, logical_id)

    _stacks._delete_resource = guarded  # noqa: SLF001


def ec2(action: str, parameters: dict[str, object]) -> str:
    """Call an action of the EC2 API in this process and return its XML. Raises ValueError with EC2's message."""
    strings = {name: [str(value)] for name, value in parameters.items() if value is not None}
    status, _, body = _ec2._ACTION_MAP[action](strings)  # noqa: SLF001  # EC2's dispatch table, by the names of AWS
    text = body.decode() if isinstance(body, bytes) else str(body)
    if status >= 400:  # noqa: PLR2004  # the first HTTP status of an error
        raise ValueError(" ".join(re.sub(r"<[^>]+>", " ", text).split()))
    return text


def tag_ec2(physical_id: str, properties: Properties) -> None:
    """Tag an EC2 resource with the tags of its template."""
    _provisioners._ec2_apply_tags(physical_id, properties)  # noqa: SLF001  # CreateTags has another format


def database_instance(identifier: str) -> dict[str, Any]:
    """Return RDS's record of an instance, for changes, in the account and region of the current request."""
    record: dict[str, Any] = _rds._instances[identifier]  # noqa: SLF001  # the API hides the master password
    return record


def database_attributes(record: dict[str, Any]) -> Attributes:
    """Return the attributes of the instance for `Fn::GetAtt`."""
    attributes: Attributes = _provisioners._rds_db_instance_attrs(record)  # noqa: SLF001  # with the endpoint
    return attributes


def is_database_replaced(old: Properties, new: Properties) -> bool:
    """Return whether CloudFormation replaces a DB instance for this change of its properties."""
    return bool(_provisioners._requires_replacement("AWS::RDS::DBInstance", old, new))  # noqa: SLF001  # no public list


def replace_database_deletion(delete: Delete) -> None:
    """Delete the predecessor of a replaced DB instance by `delete`. ministack's update handler deletes it itself."""
    _provisioners._rds_db_instance_delete = delete  # noqa: SLF001  # called at the end of the stack's update


def after_database_action(action: str, follow: Callable[[str], None]) -> None:
    """Call `follow` with the identifier of the instance after each successful call of an action of RDS's API."""
    original = _rds._ACTION_MAP[action]  # noqa: SLF001  # RDS's dispatch table, by the names of AWS

    def act(parameters: dict[str, Any]) -> Any:  # ministack's response
        instance = _rds._resolve_instance(_rds._p(parameters, "DBInstanceIdentifier"))  # noqa: SLF001  # name or ARN
        response = original(parameters)
        if instance and response[0] < 400:  # noqa: PLR2004  # the first HTTP status of an error
            follow(instance["DBInstanceIdentifier"])
        return response

    _rds._ACTION_MAP[action] = act  # noqa: SLF001  # ministack runs each action in a thread


def secret_name(arn: str) -> str:
    """Return ministack's name of a secret."""
    name, _ = _secrets._resolve(arn)  # noqa: SLF001  # the name is not a part of the ARN that can be extracted
    return str(name or arn)


def account_and_region() -> tuple[str, str]:
    """Return the account and the region of the current request."""
    return _responses.get_account_id(), _responses.get_region()


resolve_credential = _iam.resolve_credential
"""(access key, account) -> ResolvedCredential | CredentialResolutionError, for root, users and sessions."""


def is_allowed(access_key: str, *, action: str, resource_arn: str, account: str, region: str) -> tuple[str, str]:
    """Return the ARN of the key's principal and the decision of its policies ("Allow", "ImplicitDeny", …)."""
    with _responses.request_scope(account, region):  # ministack looks policies up in the account of the current request
        principal = _iam.resolve_principal(access_key, account)
        if isinstance(principal, _iam.AuthError):
            return access_key, principal.message
        if principal.policies is None:  # the account's root has no policies
            return principal.arn, "Allow"
        context = _iam.EvalContext(
            principal_arn=principal.arn,
            principal_type=principal.type,
            principal_account=account,
            action=action,
            resource_arn=resource_arn,
            region=region,
            principal_keys=principal.keys,
        )
        return principal.arn, _iam.evaluate(context, principal.policies, *principal.limits).decision


def trust_only_the_configured_root() -> None:
    """Accept one key as the account's root. ministack also accepts "test", twelve digits and no key, unverified."""
    configured = os.environ["AWS_ACCESS_KEY_ID"]
    _iam.is_root_access_key = lambda access_key: access_key == configured


def disable_docker() -> None:
    """Hide Docker from ministack, which removes all containers with its label at its start."""
    _app._docker_socket_present = lambda: False  # noqa: SLF001
