"""Explain the errors of boto3 to the user of a command: the rule that is broken, the value, and the remedy."""

from botocore import exceptions

_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_BAD_CREDENTIALS = frozenset(
    {
        *("AuthFailure", "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "InvalidSignatureException"),
        *("SignatureDoesNotMatch", "UnrecognizedClientException"),
    }
)
_EXPLANATIONS: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((exceptions.ProfileNotFound,), "--profile must be a profile of the AWS configuration ({})"),
    (
        (exceptions.NoRegionError,),
        "--region must be set (got nothing): use --region, AWS_REGION, or the region of a profile",
    ),
    (
        (exceptions.NoCredentialsError, exceptions.PartialCredentialsError),
        "AWS credentials must be set (got nothing): use --profile, AWS_PROFILE, or aws sso login",
    ),
    (
        (exceptions.SSOError, exceptions.TokenRetrievalError, exceptions.CredentialRetrievalError),
        "AWS credentials must be valid ({}): sign in again, for example with aws sso login",
    ),
    (
        (exceptions.HTTPClientError, exceptions.ConnectionError, exceptions.InvalidRegionError),
        "AWS cannot be reached: {}: check --region",
    ),
)


def explain(exc: Exception, action: str = "", *, policy: str | None = None) -> str:
    """Return one line for an error of boto3.

    `action` is the permission that the call needs, and `policy` the ARN of the managed policy that has it.
    """
    if isinstance(exc, exceptions.ClientError):
        return _explain_answer(exc, action, policy)
    for kinds, text in _EXPLANATIONS:
        if isinstance(exc, kinds):
            return text.format(exc)
    return f"AWS: {exc}"


def _explain_answer(exc: exceptions.ClientError, action: str, policy: str | None) -> str:
    code, message = exc.response["Error"]["Code"], exc.response["Error"]["Message"]
    if code in _BAD_CREDENTIALS:
        return f"AWS credentials must be valid ({message}): sign in again, or use another --profile"
    if code in _DENIED:
        remedy = f": attach the managed policy {policy}" if policy else ""
        return f"the caller must have the permission {action} ({message}){remedy}"
    return f"AWS: {exc}"
