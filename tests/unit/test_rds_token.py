from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localaws.errors import AuthenticationError
from localaws.rds.token import MAX_TOKEN_LENGTH, Credential, verify_token
from tests.signing import Signer
from tests.token_verifiers import StaticTokenVerifier

NOW = datetime(2026, 11, 22, 23, 59, 58, tzinfo=UTC)
REGION = "eu-central-1"
RESOURCE = f"arn:aws:rds-db:{REGION}:000000000000:dbuser:db-ABC"
SIGNER = Signer("AKIAEXAMPLE", "secret/of+the=test")
SESSION = Signer("ASIAEXAMPLE", "secret", "a session/token+with=signs")
KEYS = {
    SIGNER.access_key: Credential(SIGNER.secret),
    SESSION.access_key: Credential(SESSION.secret, SESSION.session_token, NOW + timedelta(hours=1)),
}


def token(signer: Signer = SIGNER, *, user: str = "migrator", host: str = "127.0.0.1", at: datetime = NOW) -> str:
    return signer.token(user=user, host=host, port=5432, region=REGION, at=at)


GOOD = token()


def check(
    token: str,
    *,
    user: str = "migrator",
    host: str = "127.0.0.1",
    port: int = 5432,
    region: str = REGION,
    now: datetime = NOW,
) -> Credential:
    return verify_token(token, user=user, host=host, port=port, region=region, credential=KEYS.get, now=now)


def test_a_valid_token_returns_the_credential_that_signed_it() -> None:
    assert check(GOOD) is KEYS["AKIAEXAMPLE"]


def test_a_token_with_a_session_token_is_accepted() -> None:
    assert check(token(SESSION)) is KEYS["ASIAEXAMPLE"]


@pytest.mark.parametrize("user", ["with space", "mit-Ümlaut", "a/b+c=d&e?f%g", "$role", "x" * 63])
def test_a_user_name_with_special_characters_is_accepted(user: str) -> None:
    assert check(token(user=user), user=user) is KEYS["AKIAEXAMPLE"]


def test_the_host_name_is_compared_without_case() -> None:
    assert check(token(host="DB.example.COM"), host="db.EXAMPLE.com") is KEYS["AKIAEXAMPLE"]


@pytest.mark.parametrize("age", [timedelta(seconds=-300), timedelta(0), timedelta(seconds=900)])
def test_a_token_is_valid_for_15_minutes_and_from_a_clock_that_is_5_minutes_ahead(age: timedelta) -> None:
    assert check(token(at=NOW - age)) is KEYS["AKIAEXAMPLE"]


@pytest.mark.parametrize(
    ("age", "reason"),
    [(timedelta(seconds=901), "expired 1 s ago"), (timedelta(seconds=-301), "301 s in the future")],
)
def test_an_expired_token_and_a_token_from_the_future_are_rejected(age: timedelta, reason: str) -> None:
    with pytest.raises(AuthenticationError, match=reason):
        check(token(at=NOW - age))


@pytest.mark.parametrize(
    ("login", "reason"),
    [
        ({"user": "querier"}, r"DBUser must be the user of the login, 'querier' \(got 'migrator'\)"),
        ({"host": "localhost"}, r"the address of the token must be 'localhost:5432' \(got '127.0.0.1:5432'\)"),
        ({"port": 5433}, r"the address of the token must be '127.0.0.1:5433' \(got '127.0.0.1:5432'\)"),
        ({"region": "us-east-1"}, r"the region of X-Amz-Credential must be 'us-east-1' \(got 'eu-central-1'\)"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_token_for_another_user_host_port_or_region_is_rejected(login: dict[str, str], reason: str) -> None:
    with pytest.raises(AuthenticationError, match=reason):
        check(GOOD, **login)  # type: ignore[arg-type] # one of the settings of a login


@pytest.mark.parametrize(
    ("signer", "reason"),
    [
        (replace(SIGNER, secret="another"), "the signature does not match"),
        (replace(SIGNER, access_key="AKIANOBODY"), "unknown access key 'AKIANOBODY'"),
        (replace(SIGNER, session_token="made up"), "the session token must be the session token of"),
        (replace(SESSION, session_token=None), "the session token must be the session token of"),
        (replace(SESSION, session_token="another"), "the session token must be the session token of"),
    ],
    ids=["wrong secret", "unknown key", "needless session", "missing session", "wrong session"],
)
def test_a_token_with_another_secret_key_or_session_is_rejected(signer: Signer, reason: str) -> None:
    with pytest.raises(AuthenticationError, match=reason):
        check(token(signer))


def test_a_token_of_an_expired_session_is_rejected() -> None:
    later = NOW + timedelta(hours=1)
    with pytest.raises(AuthenticationError, match="the session of access key 'ASIAEXAMPLE' has expired"):
        check(token(SESSION, at=later), now=later)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("Action=connect", "Action=drop", r"Action must be 'connect' \(got 'drop'\)"),
        ("SHA256", "SHA1", r"X-Amz-Algorithm must be .*got 'AWS4-HMAC-SHA1'"),
        ("SignedHeaders=host", "SignedHeaders=host%3Bx", r"X-Amz-SignedHeaders must be 'host' \(got 'host;x'\)"),
        ("Expires=900", "Expires=901", "X-Amz-Expires must be between 1 and 900"),
        ("Expires=900", "Expires=0", "X-Amz-Expires must be between 1 and 900"),
        ("Expires=900", "Expires=-1", "X-Amz-Expires must be between 1 and 900"),
        ("Expires=900", "Expires=899", "the signature does not match"),
        ("Signature=", "Signature=%C3%BC", "the signature does not match"),
        ("rds-db", "s3", r"the service of X-Amz-Credential must be 'rds-db' \(got 's3'\)"),
        ("%2F20261122%2F", "%2F20261121%2F", "the date of X-Amz-Credential must be the date of X-Amz-Date"),
        ("X-Amz-Date=20261122T235958Z", "X-Amz-Date=20261122T995958Z", "X-Amz-Date must be a time"),
        ("aws4_request", "aws5_request", "X-Amz-Credential must be KEY/DATE"),
        ("/?", "/?DBUser=querier&", "the token must have the parameter 'DBUser' once only"),
        ("/?", "/?Extra=1&", "the token must not have Extra"),
        ("&X-Amz-Expires=900", "", "the token must have X-Amz-Expires"),
        ("/?", "?", "the token must be a presigned URL"),
        ("/?", "/path?", "the token must be a presigned URL"),
        ("127.0.0.1", "https://127.0.0.1", "the token must be a presigned URL"),
    ],
)
def test_a_token_with_a_changed_part_is_rejected(old: str, new: str, reason: str) -> None:
    assert old in GOOD
    with pytest.raises(AuthenticationError, match=reason):
        check(GOOD.replace(old, new))


@pytest.mark.parametrize("password", ["", "password", "127.0.0.1:5432/?", "127.0.0.1:5432/?a\nb", "\x00", "ü" * 20])
def test_a_password_that_is_not_a_token_is_rejected(password: str) -> None:
    with pytest.raises(AuthenticationError):
        check(password)


def test_a_token_of_more_than_16384_characters_is_rejected() -> None:
    with pytest.raises(AuthenticationError, match="at most 16384 characters"):
        check(GOOD + "x" * MAX_TOKEN_LENGTH)


@given(st.integers(0, len(GOOD) - 1), st.characters())
def test_a_token_with_one_changed_character_is_rejected(position: int, character: str) -> None:
    changed = GOOD[:position] + character + GOOD[position + 1 :]
    if unquote(changed) != unquote(GOOD):  # %2f is %2F
        with pytest.raises(AuthenticationError):
            check(changed)


@given(st.text())
def test_every_text_that_is_not_a_token_raises_an_authentication_error(text: str) -> None:
    with pytest.raises(AuthenticationError):
        check(text)


@pytest.mark.parametrize("allowed", [f"{RESOURCE}/migrator", f"{RESOURCE}/*", "arn:aws:rds-db:*:*:dbuser:*/migr*"])
def test_a_policy_with_the_arn_of_the_user_allows_the_login(allowed: str) -> None:
    verifier = StaticTokenVerifier(REGION, RESOURCE, {SIGNER.access_key: Credential(SIGNER.secret, allow=(allowed,))})
    now = token(at=datetime.now(UTC))
    assert verifier.verify(user="migrator", token=now, host="127.0.0.1", port=5432) == SIGNER.access_key


@pytest.mark.parametrize("allowed", [(), (f"{RESOURCE}/querier",), ("arn:aws:rds-db:*:*:dbuser:db-OTHER/*",)])
def test_without_a_policy_with_the_arn_of_the_user_the_login_is_rejected(allowed: tuple[str, ...]) -> None:
    verifier = StaticTokenVerifier(REGION, RESOURCE, {SIGNER.access_key: Credential(SIGNER.secret, allow=allowed)})
    with pytest.raises(
        AuthenticationError, match=f"no policy of 'AKIAEXAMPLE' allows rds-db:connect on {RESOURCE}/migrator"
    ):
        verifier.verify(user="migrator", token=token(at=datetime.now(UTC)), host="127.0.0.1", port=5432)
