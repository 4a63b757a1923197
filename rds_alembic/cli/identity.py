"""Sign a request to STS with the caller's credentials. The changing function sends it, and STS tells who signed it.

`migrator/operations/caller.py` has the other side.
"""

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import NoCredentialsError

BODY = b"Action=GetCallerIdentity&Version=2011-06-15"
FUNCTION_HEADER = "X-Rds-Alembic-Function"


def sign_identity(session: boto3.Session, function: str) -> dict[str, str]:
    """Return the headers of a signed sts:GetCallerIdentity that are bound to one function.

    Raises NoCredentialsError.
    """
    credentials = session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    request = AWSRequest(
        method="POST",
        url=_sts_endpoint(session),
        data=BODY,
        headers={FUNCTION_HEADER: function, "Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
    )
    SigV4Auth(credentials.get_frozen_credentials(), "sts", str(session.region_name)).add_auth(request)
    return {name: str(value) for name, value in request.headers.items()}


def _sts_endpoint(session: boto3.Session) -> str:
    """Return the URL of STS in the region of the stack. `boto3.client("sts")` may use the global one."""
    endpoint: str = session.client("cloudformation").meta.endpoint_url
    return endpoint.replace("//cloudformation.", "//sts.", 1).rstrip("/") + "/"
