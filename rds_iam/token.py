"""RDS IAM tokens, signed in the process: no network call, and none of a full client's start-up cost."""

import os
from collections.abc import Mapping

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from rds_iam.errors import SettingsError
from rds_iam.settings import DatabaseSettings

# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html: valid for 15 minutes
TOKEN_SECONDS = 900


def generate_token(settings: DatabaseSettings, environ: Mapping[str, str] = os.environ) -> str:
    """Return a token for one login: a pre-signed URL without its scheme, over 1 KB long.

    Signs with the credentials that Lambda puts into the environment; raises SettingsError without them.
    """
    request = AWSRequest(
        method="GET",
        url=f"https://{settings.host}:{settings.port}/",
        params={"Action": "connect", "DBUser": settings.user},
    )
    SigV4QueryAuth(_credentials(environ), "rds-db", settings.region, expires=TOKEN_SECONDS).add_auth(request)
    return str(request.url).removeprefix("https://")


def _credentials(environ: Mapping[str, str]) -> Credentials:
    missing = [name for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") if not environ.get(name)]
    if missing:
        raise SettingsError(f"no credentials to sign a token with: {' and '.join(missing)} not set")
    return Credentials(
        environ["AWS_ACCESS_KEY_ID"],
        environ["AWS_SECRET_ACCESS_KEY"],
        environ.get("AWS_SESSION_TOKEN") or None,
    )
