"""Every name of ministack's that is not public and that we use: here, and in ministack_runtime.py, nowhere else.

ministack is pinned to one version for this. `tests/unit/test_localaws_ministack.py` says what we assume of these
names; when a new version fails it, this file is where to look. Importing it imports ministack, which reads its
configuration from the environment once, at import: only the emulator's own process does so.
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
    """How CloudFormation makes, changes and removes a resource of one type.

    `create(logical id, properties, stack)` and `update(physical id, old, new, stack, logical id)` answer the physical
    id and the attributes for `Fn::GetAtt`. A type without `update` is created anew by ministack on every change.
    """

    create: Create
    delete: Delete
    update: Update | None = None

    @classmethod
    def registered(cls, name: str) -> ResourceType:
        """Return ministack's own handler of the type."""
        handler = _provisioners._RESOURCE_HANDLERS[name]  # noqa: SLF001  # there is no public registry
        return cls(create=handler["create"], delete=handler["delete"], update=handler.get("update"))

    def register(self, name: str, *, slow: bool = False) -> None:
        """Serve the type from now on; a `slow` one on a thread of its own, since the event loop serves everything."""
        handler: dict[str, Any] = {"create": self.create, "delete": self.delete}
        if self.update:
            handler |= {"update": self.update, "update_with_logical_id": True}
        # ministack has no way to add a type, and refuses a template with an unknown one.
        _provisioners._RESOURCE_HANDLERS[name] = {  # noqa: SLF001
            **_provisioners._RESOURCE_HANDLERS.get(name, {}),  # noqa: SLF001
            **handler,
        }
        if slow:
            _run_off_the_loop(name)


def _run_off_the_loop(resource_type: str) -> None:
    original = _stacks._runs_on_worker_thread  # noqa: SLF001  # the only place where ministack decides it
    _stacks._runs_on_worker_thread = lambda name: name == resource_type or original(name)  # noqa: SLF001


def keep_what_undeleted_resources_need() -> None:
    """Let the deletion of a stack keep what a resource that could not be deleted depends on, as AWS does."""
    delete = _stacks._delete_resource  # noqa: SLF001  # what every deletion of a resource passes through

    def guarded(kind: str, physical_id: str, properties: Properties, stack_name: str, logical_id: str) -> None:
        stack = _cloudformation._stacks.get(stack_name)  # noqa: SLF001  # the API does not tell dependencies
        if stack and stack["StackStatus"] == "DELETE_IN_PROGRESS":
            there, template = stack["_resources"], stack["_template"]["Resources"]
            failed = {name for name, found in there.items() if found["ResourceStatus"] == "DELETE_FAILED"}
            if logical_id in _stacks._with_dependencies(failed - {logical_id}, template, set(there)):  # noqa: SLF001
                raise ValueError("a resource that depends on it could not be deleted")
        delete(kind, physical_id, properties, stack_name, logical_id)

    _stacks._delete_resource = guarded  # noqa: SLF001


def ec2(action: str, parameters: dict[str, object]) -> str:
    """Call an action of the EC2 API in process and return the XML answered; raise ValueError with EC2's words."""
    given = {name: [str(value)] for name, value in parameters.items() if value is not None}
    status, _, body = _ec2._ACTION_MAP[action](given)  # noqa: SLF001  # EC2's dispatch table; the names in it are AWS's
    text = body.decode() if isinstance(body, bytes) else str(body)
    if status >= 400:  # noqa: PLR2004  # HTTP's boundary
        raise ValueError(" ".join(re.sub(r"<[^>]+>", " ", text).split()))
    return text


def tag_ec2(physical_id: str, properties: Properties) -> None:
    """Give an EC2 resource the tags of its template."""
    _provisioners._ec2_apply_tags(physical_id, properties)  # noqa: SLF001  # EC2's CreateTags would re-parse them


def database_instance(identifier: str) -> dict[str, Any]:
    """Return RDS's live record of an instance in the account and region of the running request."""
    record: dict[str, Any] = _rds._instances[identifier]  # noqa: SLF001  # the API hides the master password
    return record


def database_attributes(record: dict[str, Any]) -> Attributes:
    """Return what `Fn::GetAtt` of the instance answers."""
    attributes: Attributes = _provisioners._rds_db_instance_attrs(record)  # noqa: SLF001  # endpoint included
    return attributes


def is_database_replaced(old: Properties, new: Properties) -> bool:
    """Say whether CloudFormation replaces a DB instance for this change of its properties."""
    return bool(_provisioners._requires_replacement("AWS::RDS::DBInstance", old, new))  # noqa: SLF001  # its tables


def replace_database_deletion(delete: Delete) -> None:
    """Delete the predecessor of a replaced DB instance by `delete`: the update handler does so by itself."""
    _provisioners._rds_db_instance_delete = delete  # noqa: SLF001  # called at the end of the stack's update


def after_database_action(action: str, follow: Callable[[str], None]) -> None:
    """Call `follow` with the instance's identifier after each call of an action of RDS's API that succeeds."""
    original = _rds._ACTION_MAP[action]  # noqa: SLF001  # RDS's dispatch table; the names in it are AWS's

    def act(parameters: dict[str, Any]) -> Any:  # ministack's answer, handed on as it is
        instance = _rds._resolve_instance(_rds._p(parameters, "DBInstanceIdentifier"))  # noqa: SLF001  # name or ARN
        answer = original(parameters)
        if instance and answer[0] < 400:  # noqa: PLR2004  # HTTP's boundary
            follow(instance["DBInstanceIdentifier"])
        return answer

    _rds._ACTION_MAP[action] = act  # noqa: SLF001  # ministack runs the actions in threads of their own


def secret_name(arn: str) -> str:
    """Return the name under which ministack keeps a secret."""
    name, _ = _secrets._resolve(arn)  # noqa: SLF001  # a secret's name cannot be cut out of its ARN
    return str(name or arn)


def account_and_region() -> tuple[str, str]:
    """Return those of the running request."""
    return _responses.get_account_id(), _responses.get_region()


resolve_credential = _iam.resolve_credential
"""(access key, account) -> ResolvedCredential | CredentialResolutionError: root, users and sessions alike."""


def is_allowed(access_key: str, *, action: str, resource_arn: str, account: str, region: str) -> tuple[str, str]:
    """Evaluate the policies of the key's principal; return its ARN and IAM's decision ("Allow", "ImplicitDeny", …)."""
    with _responses.request_scope(account, region):  # policies are looked up in the account of the running request
        principal = _iam.resolve_principal(access_key, account)
        if isinstance(principal, _iam.AuthError):
            return access_key, principal.message
        if principal.policies is None:  # the account's root: nothing is evaluated
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
    """Make one key the account's root. ministack takes "test", twelve digits and no key at all for it, unverified."""
    configured = os.environ["AWS_ACCESS_KEY_ID"]
    _iam.is_root_access_key = lambda access_key: access_key == configured


def keep_away_from_docker() -> None:
    """Stop ministack from looking for Docker: at start it removes every container that carries its label."""
    _app._docker_socket_present = lambda: False  # noqa: SLF001
