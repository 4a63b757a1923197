"""The shell commands that configure AWS's tools for the local AWS."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping

from localaws.aws import LocalAws
from localaws.cdk import local_context
from localaws.constants import HOST

CREDENTIAL_VARIABLES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
# A profile may set an endpoint, a region, or a certificate authority.
NO_CONFIGURATION = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
CONTEXT_PREFIX = "PRIVATE_DATABASE_"
"""The prefix of the environment variables that app.py reads as settings."""


def shell_lines(aws: LocalAws, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the export and unset commands for a POSIX shell with the variables `environ`."""
    exported = {name: value for name, value in aws.env().items() if name.startswith(("AWS_", "CDK_", "NODE_"))}
    for setting, value in local_context(aws.ca_path).items():
        exported[CONTEXT_PREFIX + setting.replace("-", "_").upper()] = value
    exported |= NO_CONFIGURATION | _proxy_exceptions(environ)
    others = {name for name in environ if name.startswith("AWS_")} | set(CREDENTIAL_VARIABLES)
    for name in sorted(others - exported.keys()):
        yield f"unset {name}"
    for name, value in exported.items():
        yield f"export {name}={shlex.quote(value)}"


def _proxy_exceptions(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that exclude this machine from the developer's proxy."""
    if not any(name.lower().endswith("_proxy") for name in environ):
        return {}
    hosts = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    exceptions = ",".join(dict.fromkeys([*filter(None, hosts.split(",")), HOST]))
    return {"NO_PROXY": exceptions, "no_proxy": exceptions}
