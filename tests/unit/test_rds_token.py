from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localaws.authority import StaticAuthority
from localaws.errors import Refused
from localaws.rds_token import LONGEST_TOKEN, Credential, verify
from tests.signing import Signer

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
    return verify(token, user=user, host=host, port=port, region=region, credential=KEYS.get, now=now)


def test_a_token_lets_in_and_names_who_signed() -> None:
    assert check(GOOD) is KEYS["AKIAEXAMPLE"]


def test_a_token_signed_in_a_session_lets_in() -> None:
    assert check(token(SESSION)) is KEYS["ASIAEXAMPLE"]


@pytest.mark.parametrize("user", ["with space", "mit-Ümlaut", "a/b+c=d&e?f%g", "$role", "x" * 63])
def test_a_user_with_odd_characters_gets_in(user: str) -> None:
    assert check(token(user=user), user=user) is KEYS["AKIAEXAMPLE"]


def test_the_case_of_a_host_does_not_matter() -> None:
    assert check(token(host="DB.example.COM"), host="db.EXAMPLE.com") is KEYS["AKIAEXAMPLE"]


@pytest.mark.parametrize("age", [timedelta(seconds=-300), timedelta(0), timedelta(seconds=900)])
def test_a_token_is_good_for_fifteen_minutes_and_a_clock_may_be_ahead_by_five(age: timedelta) -> None:
    assert check(token(at=NOW - age)) is KEYS["AKIAEXAMPLE"]


@pytest.mark.parametrize(
    ("age", "reason"),
    [(timedelta(seconds=901), "expired 1 s ago"), (timedelta(seconds=-301), "301 s in the future")],
)
def test_a_token_outside_its_time_is_refused(age: timedelta, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        check(token(at=NOW - age))


@pytest.mark.parametrize(
    ("login", "reason"),
    [
        ({"user": "querier"}, "the token is for user 'migrator', the login for 'querier'"),
        ({"host": "localhost"}, "the token is for '127.0.0.1:5432', this is 'localhost:5432'"),
        ({"port": 5433}, "the token is for '127.0.0.1:5432', this is '127.0.0.1:5433'"),
        ({"region": "us-east-1"}, "signed for region 'eu-central-1', this is 'us-east-1'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_token_for_something_else_is_refused(login: dict[str, str], reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        check(GOOD, **login)  # type: ignore[arg-type] # one of the settings of a login


@pytest.mark.parametrize(
    ("signer", "reason"),
    [
        (replace(SIGNER, secret="another"), "the signature does not match"),
        (replace(SIGNER, access_key="AKIANOBODY"), "unknown access key 'AKIANOBODY'"),
        (replace(SIGNER, session_token="made up"), "session token is missing, or not that"),
        (replace(SESSION, session_token=None), "session token is missing, or not that"),
        (replace(SESSION, session_token="another"), "session token is missing, or not that"),
    ],
    ids=["wrong secret", "unknown key", "needless session", "missing session", "wrong session"],
)
def test_a_token_of_somebody_else_is_refused(signer: Signer, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        check(token(signer))


def test_a_token_of_an_expired_session_is_refused() -> None:
    later = NOW + timedelta(hours=1)
    with pytest.raises(Refused, match="the session of access key 'ASIAEXAMPLE' has expired"):
        check(token(SESSION, at=later), now=later)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("Action=connect", "Action=drop", "Action is 'drop', it should be 'connect'"),
        ("SHA256", "SHA1", "X-Amz-Algorithm is 'AWS4-HMAC-SHA1'"),
        ("SignedHeaders=host", "SignedHeaders=host%3Bx", "X-Amz-SignedHeaders is 'host;x'"),
        ("Expires=900", "Expires=901", "it should be 1 to 900"),
        ("Expires=900", "Expires=0", "it should be 1 to 900"),
        ("Expires=900", "Expires=-1", "it should be 1 to 900"),
        ("Expires=900", "Expires=899", "the signature does not match"),
        ("Signature=", "Signature=%C3%BC", "the signature does not match"),
        ("rds-db", "s3", "signed for service 's3'"),
        ("%2F20261122%2F", "%2F20261121%2F", "the day of X-Amz-Credential is not that of X-Amz-Date"),
        ("X-Amz-Date=20261122T235958Z", "X-Amz-Date=20261122T995958Z", "malformed X-Amz-Date"),
        ("aws4_request", "aws5_request", "malformed X-Amz-Credential"),
        ("/?", "/?DBUser=querier&", "parameter 'DBUser' is given twice"),
        ("/?", "/?Extra=1&", "parameters unknown: Extra"),
        ("&X-Amz-Expires=900", "", "parameters missing: X-Amz-Expires"),
        ("/?", "?", "not a token"),
        ("/?", "/path?", "not a token"),
        ("127.0.0.1", "https://127.0.0.1", "not a token"),
    ],
)
def test_a_token_that_was_tampered_with_is_refused(old: str, new: str, reason: str) -> None:
    assert old in GOOD
    with pytest.raises(Refused, match=reason):
        check(GOOD.replace(old, new))


@pytest.mark.parametrize("password", ["", "password", "127.0.0.1:5432/?", "127.0.0.1:5432/?a\nb", "\x00", "ü" * 20])
def test_what_is_no_token_is_refused(password: str) -> None:
    with pytest.raises(Refused):
        check(password)


def test_a_token_without_end_is_refused() -> None:
    with pytest.raises(Refused, match="more than 16384"):
        check(GOOD + "x" * LONGEST_TOKEN)


@given(st.integers(0, len(GOOD) - 1), st.characters())
def test_no_character_can_be_changed(position: int, character: str) -> None:
    changed = GOOD[:position] + character + GOOD[position + 1 :]
    if unquote(changed) != unquote(GOOD):  # %2f is %2F
        with pytest.raises(Refused):
            check(changed)


@given(st.text())
def test_nothing_but_a_refusal_comes_of_any_text(text: str) -> None:
    with pytest.raises(Refused):
        check(text)


@pytest.mark.parametrize("allowed", [f"{RESOURCE}/migrator", f"{RESOURCE}/*", "arn:aws:rds-db:*:*:dbuser:*/migr*"])
def test_a_policy_that_covers_the_user_lets_in(allowed: str) -> None:
    authority = StaticAuthority(REGION, RESOURCE, {SIGNER.access_key: Credential(SIGNER.secret, allow=(allowed,))})
    now = token(at=datetime.now(UTC))
    assert authority.check(user="migrator", token=now, host="127.0.0.1", port=5432) == SIGNER.access_key


@pytest.mark.parametrize("allowed", [(), (f"{RESOURCE}/querier",), ("arn:aws:rds-db:*:*:dbuser:db-OTHER/*",)])
def test_without_a_policy_that_covers_the_user_nobody_gets_in(allowed: tuple[str, ...]) -> None:
    authority = StaticAuthority(REGION, RESOURCE, {SIGNER.access_key: Credential(SIGNER.secret, allow=allowed)})
    with pytest.raises(Refused, match=f"no policy of 'AKIAEXAMPLE' allows rds-db:connect on {RESOURCE}/migrator"):
        authority.check(user="migrator", token=token(at=datetime.now(UTC)), host="127.0.0.1", port=5432)
