"""Who gets in and who does not: every case that RDS tells apart, with what the client is told and what the log says."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg2
import pytest

from localaws.authority import Credential, StaticAuthority
from localaws.certificates import Certificates
from localaws.postgres import RunningPostgres
from tests.postgres.doors import PASSWORD, SIGNER, Door, query
from tests.postgres.servers import RESOURCE, SETTINGS
from tests.signing import Signer


@contextmanager
def refused(postgres: RunningPostgres, message: str, *, because: str | None = None) -> Iterator[None]:
    """Expect that a login is turned away with `message`, and with the reason `because` in the log alone."""
    before = len(postgres.auth_log())
    with pytest.raises(psycopg2.OperationalError) as refusal:
        yield
    assert re.search(message, str(refusal.value))
    if because is not None:
        decisions = postgres.auth_log()[before:]
        assert len(decisions) == 1
        assert re.search(f" refused .*{because}", decisions[0])
        assert because not in str(refusal.value)


def test_a_token_lets_an_iam_role_in(door: Door, iam_role: str) -> None:
    with closing(door.connect_with_token(iam_role)) as session:
        assert query(session, "SELECT current_user, session_user") == [(iam_role, iam_role)]
    assert f'accepted host "127.0.0.1", user "{iam_role}"' in door.postgres.auth_log()[-1]
    assert SIGNER.access_key in door.postgres.auth_log()[-1]


@pytest.mark.parametrize(
    ("age", "reason"),
    [(timedelta(minutes=16), "the token expired"), (timedelta(minutes=-6), "in the future")],
    ids=["expired", "from the future"],
)
def test_a_token_outside_its_time_is_refused(door: Door, iam_role: str, age: timedelta, reason: str) -> None:
    token = door.token(iam_role, at=datetime.now(UTC) - age)
    with refused(door.postgres, f'PAM authentication failed for user "{iam_role}"', because=reason):
        door.connect(iam_role, token)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ({"host": "localhost"}, "the token is for 'localhost:"),
        ({"port": 5432}, "the token is for '127.0.0.1:5432'"),
        ({"region": "us-east-1"}, "signed for region 'us-east-1'"),
    ],
    ids=["host", "port", "region"],
)
def test_a_token_for_another_place_is_refused(door: Door, iam_role: str, target: dict[str, str], reason: str) -> None:
    token = door.token(iam_role, **target)  # type: ignore[arg-type] # one of a token's settings
    with refused(door.postgres, "PAM authentication failed", because=reason):
        door.connect(iam_role, token)


def test_a_token_for_another_user_is_refused(door: Door, iam_role: str) -> None:
    with refused(door.postgres, "PAM authentication failed", because="the token is for user 'somebody'"):
        door.connect(iam_role, door.token("somebody"))


def test_a_token_that_was_tampered_with_is_refused(door: Door, iam_role: str) -> None:
    token = door.token("somebody").replace("DBUser=somebody", f"DBUser={iam_role}")
    with refused(door.postgres, "PAM authentication failed", because="the signature does not match"):
        door.connect(iam_role, token)


@pytest.mark.parametrize(
    ("signer", "reason"),
    [
        (replace(SIGNER, secret="another"), "the signature does not match"),
        (replace(SIGNER, access_key="ASIANOBODY"), "unknown access key 'ASIANOBODY'"),
        (replace(SIGNER, session_token=None), "the session token is missing, or not that"),
        (replace(SIGNER, session_token="another"), "the session token is missing, or not that"),
    ],
    ids=["wrong secret", "unknown key", "missing session token", "wrong session token"],
)
def test_a_token_of_somebody_else_is_refused(door: Door, iam_role: str, signer: Signer, reason: str) -> None:
    with refused(door.postgres, "PAM authentication failed", because=reason):
        door.connect(iam_role, door.token(iam_role, signer=signer))


@pytest.mark.parametrize(
    ("credential", "reason"),
    [
        (Credential("secret", "session", datetime.now(UTC) - timedelta(seconds=1), ("*",)), "has expired"),
        (Credential("secret", "session"), "no policy of 'ASIAANOTHER' allows rds-db:connect"),
        (Credential("secret", "session", allow=(f"{RESOURCE}/another",)), "no policy of 'ASIAANOTHER' allows"),
    ],
    ids=["expired session", "no policy", "a policy for another user"],
)
def test_a_signer_who_may_not_connect_is_refused(
    door: Door, iam_role: str, authority: StaticAuthority, credential: Credential, reason: str
) -> None:
    authority.put("ASIAANOTHER", credential)
    token = door.token(iam_role, signer=Signer("ASIAANOTHER", "secret", "session"))
    with refused(door.postgres, "PAM authentication failed", because=reason):
        door.connect(iam_role, token)


@pytest.mark.parametrize("password", [PASSWORD, "x", "x" * 65_000])
def test_no_password_lets_an_iam_role_in(door: Door, password_role: str, iam_role: str, password: str) -> None:
    with refused(door.postgres, "PAM authentication failed", because="the token has|not a token"):
        door.connect(iam_role, password)


def test_an_iam_role_must_encrypt(door: Door, iam_role: str) -> None:
    rejection = f'pg_hba.conf rejects connection for host "127.0.0.1", user "{iam_role}", database "app", no encryption'
    with refused(door.postgres, rejection):
        door.connect_with_token(iam_role, sslmode="disable")


def test_a_password_must_be_encrypted(door: Door) -> None:
    rejection = 'no pg_hba.conf entry for host "127.0.0.1", user "postgres", database "app", no encryption'
    with refused(door.postgres, rejection):
        door.connect_as_master(sslmode="disable")


@pytest.mark.parametrize(("user", "database"), [("rdsadmin", "app"), ("postgres", "rdsadmin")])
def test_what_belongs_to_rds_itself_is_out_of_reach(door: Door, user: str, database: str) -> None:
    with refused(door.postgres, "pg_hba.conf rejects connection for .* SSL encryption"):
        door.connect(user, SETTINGS.master_password, dbname=database)


def test_a_client_that_trusts_another_authority_stays_away(door: Door, iam_role: str, tmp_path: Path) -> None:
    with refused(door.postgres, "certificate verify failed"):
        door.connect_with_token(iam_role, sslrootcert=str(Certificates(tmp_path).ca_path))


def test_a_client_that_expects_another_host_stays_away(door: Door) -> None:
    with refused(door.postgres, 'does not match host name "db.example.com"'):
        door.connect_as_master(host="db.example.com", hostaddr=door.postgres.host)


def test_the_master_gets_in_with_the_password_and_is_no_superuser(door: Door) -> None:
    with closing(door.connect_as_master()) as session:
        assert query(session, "SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = user") == [
            (False, True, True)
        ]
        assert session.info.ssl_attribute("protocol") in ("TLSv1.2", "TLSv1.3")


@pytest.mark.parametrize("method", ["scram-sha-256"])
def test_a_password_never_leaves_the_client(door: Door, password_role: str, method: str) -> None:
    door.connect(password_role, PASSWORD, require_auth=method).close()


def test_a_wrong_password_is_refused(door: Door, password_role: str) -> None:
    with refused(door.postgres, f'password authentication failed for user "{password_role}"'):
        door.connect(password_role, "wrong")


def test_a_role_that_does_not_exist_is_refused_like_a_wrong_password(door: Door) -> None:
    with refused(door.postgres, 'password authentication failed for user "nobody here"'):
        door.connect("nobody here", PASSWORD)


def test_who_administers_iam_logins_still_has_a_password(door: Door, password_role: str) -> None:
    door.postgres.admin(f"GRANT rds_superuser TO {password_role}")
    door.connect(password_role, PASSWORD).close()


def test_the_master_keeps_its_password_after_making_iam_roles(door: Door) -> None:
    with closing(door.connect_as_master()) as master:
        query(master, "CREATE ROLE made_by_master LOGIN; GRANT rds_iam TO made_by_master")
    door.connect_as_master().close()
    door.connect_with_token("made_by_master").close()
    door.postgres.admin("DROP ROLE made_by_master")


def test_who_inherits_from_an_iam_role_logs_in_by_token(door: Door, password_role: str) -> None:
    door.postgres.admin(f"CREATE ROLE between; GRANT rds_iam TO between; GRANT between TO {password_role}")
    door.connect_with_token(password_role).close()
    with refused(door.postgres, "PAM authentication failed", because="not a token"):
        door.connect(password_role, PASSWORD)
    door.postgres.admin("DROP ROLE between")


def test_no_token_is_ever_logged(door: Door, iam_role: str) -> None:
    token = door.token(iam_role)
    door.connect(iam_role, token).close()
    with refused(door.postgres, "PAM"):
        door.connect(iam_role, token.replace("900", "899"))
    log = "\n".join(door.postgres.auth_log())
    assert token[-64:] not in log
    assert SETTINGS.master_password not in log
