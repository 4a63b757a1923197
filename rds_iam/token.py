"""Sign RDS IAM tokens in the process, without a network call and without the start-up time of a full client."""

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

    Signs with the credentials that Lambda puts into the environment. Raises SettingsError if there are no credentials.
    """
    request = AWSRequest(
        method="GET",
        url=f"https://{settings.host}:{settings.port}/",
        params={"Action": "connect", "DBUser": settings.user},
    )
    SigV4QueryAuth(_credentials(environ), "rds-db", settings.region, expires=TOKEN_SECONDS).add_auth(request)
    return str(request.url).removeprefix("https://")


def _credentials(environ: Mapping[str, str]) -> Credentials:
    access_key, secret_key = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    if not access_key or not secret_key:
        raise SettingsError("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set to sign a token (got nothing)")
    return Credentials(access_key, secret_key, environ.get("AWS_SESSION_TOKEN") or None)
