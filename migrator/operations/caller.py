"""Verify who has invoked the changing function. Lambda does not tell: its context has no caller.

The client signs a request to sts:GetCallerIdentity and sends its headers with the command. The function sends this
request to STS, which verifies the signature and returns the ARN of the signer. One of the signed headers names the
function, so that the headers are of no use elsewhere. STS accepts a signature for 15 minutes at most. The same method
authenticates users of EKS and Vault: https://developer.hashicorp.com/vault/docs/auth/aws#iam-auth-method
"""

import os
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping

from migrator.errors import MigratorError

BODY = b"Action=GetCallerIdentity&Version=2011-06-15"
FUNCTION_HEADER = "x-rds-alembic-function"
_ALLOWED_HEADERS = {"authorization", "content-type", "x-amz-date", "x-amz-security-token", FUNCTION_HEADER}
_SECONDS = 10.0
_ARN = re.compile(r"<Arn>\s*([^<\s]+)\s*</Arn>")


def verify_caller(headers: Mapping[str, str], function_name: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return the ARN of the signer of the headers. Raises MigratorError if STS does not accept them."""
    lowered = {name.lower(): value for name, value in headers.items()}
    unknown = lowered.keys() - _ALLOWED_HEADERS
    signed = re.search(r"SignedHeaders=([^,\s]+)", lowered.get("authorization", ""))
    if unknown or not signed or FUNCTION_HEADER not in signed[1].split(";"):
        raise MigratorError(f"identity must be the signed headers of a request to STS, with {FUNCTION_HEADER}")
    if lowered.get(FUNCTION_HEADER) != function_name:
        raise MigratorError(f"identity must be signed for this function (got {lowered.get(FUNCTION_HEADER)!r})")
    arn = _ARN.search(_ask_sts(lowered, environ))
    if not arn:
        raise MigratorError("the caller cannot be verified: STS returned no ARN")
    return arn[1]


def sts_endpoint(environ: Mapping[str, str]) -> str:
    """Return the URL of STS in the region of the function."""
    region = environ["AWS_REGION"]
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return environ.get("AWS_ENDPOINT_URL") or f"https://sts.{region}.{suffix}"


def _ask_sts(headers: Mapping[str, str], environ: Mapping[str, str]) -> str:
    request = urllib.request.Request(f"{sts_endpoint(environ)}/", data=BODY, headers=dict(headers), method="POST")  # noqa: S310 - https
    context = ssl.create_default_context(cafile=environ.get("AWS_CA_BUNDLE"))
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS, context=context) as response:  # noqa: S310 - likewise
            text: str = response.read(100_000).decode()
            return text
    except urllib.error.HTTPError as exc:
        raise MigratorError(f"the caller must be verified by STS, which answered {exc.code}: sign in again") from exc
    except OSError as exc:
        raise MigratorError(f"the caller must be verified by STS, which cannot be reached: {exc}") from exc
