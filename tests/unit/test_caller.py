"""The identity that a caller sends: which headers are accepted before STS verifies them."""

import boto3
import pytest

from migrator.errors import MigratorError
from migrator.operations.caller import sts_endpoint, verify_caller
from rds_alembic.cli.identity import sign_identity

# Nothing listens on port 1.
ENVIRON = {"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL": "https://127.0.0.1:1"}


def headers(function: str = "change") -> dict[str, str]:
    session = boto3.Session("AKIAEXAMPLE", "secret", "token", region_name="eu-central-1")
    return sign_identity(session, function)


def test_the_headers_of_the_client_reach_sts() -> None:
    with pytest.raises(MigratorError, match="the caller must be verified by STS, which cannot be reached"):
        verify_caller(headers(), "change", ENVIRON)


def test_headers_that_were_signed_for_another_function_are_rejected() -> None:
    with pytest.raises(MigratorError, match=r"identity must be signed for this function \(got 'another'\)"):
        verify_caller(headers("another"), "change", ENVIRON)


@pytest.mark.parametrize(
    "identity",
    [
        {},
        {"Authorization": "x"},
        {"Authorization": "AWS4-HMAC-SHA256 SignedHeaders=host;x-amz-date", "X-Rds-Alembic-Function": "change"},
        {**headers(), "Host": "example.com"},
        {**headers(), "X-Forwarded-Host": "example.com"},
    ],
)
def test_headers_that_are_not_bound_to_the_function_or_not_known_are_rejected(identity: dict[str, str]) -> None:
    with pytest.raises(MigratorError, match="identity must be the signed headers of a request to STS"):
        verify_caller(identity, "change", ENVIRON)


@pytest.mark.parametrize(
    ("region", "url"),
    [
        ("eu-central-1", "https://sts.eu-central-1.amazonaws.com"),
        ("us-gov-west-1", "https://sts.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "https://sts.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_the_function_calls_sts_in_its_region(region: str, url: str) -> None:
    assert sts_endpoint({"AWS_REGION": region}) == url
