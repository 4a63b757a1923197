"""The configuration of the IAM authentication proxy."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from localaws.postgres import ServerAccess


@dataclass(frozen=True)
class ProxyConfig:
    """The settings of a proxy.

    `certificate`, `key`, `verifier` (the socket of the token verifier) and `auth_log` are paths. `login_timeout` is
    in seconds.
    """

    access: ServerAccess
    port: int
    server_version: int
    certificate: str
    key: str
    verifier: str
    auth_log: str
    iam: bool
    force_ssl: bool
    login_timeout: float

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the configuration from the output of `dataclasses.asdict`."""
        return cls(**{**values, "access": ServerAccess(**values["access"])})
