"""The logins that the proxy accepts and rejects: the error for the client, and the reason in the log.

`tests/unit/test_rds_token.py` tries all other tokens that are rejected.
"""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg2
import pytest

from localaws.certificates import CertificateAuthority
from localaws.rds import Credential, RdsInstance
from tests.postgres.proxies import PASSWORD, SIGNER, ProxyClient, query
from tests.postgres.servers import RESOURCE, SETTINGS
from tests.signing import Signer
from tests.token_verifiers import StaticTokenVerifier


@contextmanager
def rejected(postgres: RdsInstance, message: str, *, because: str | None = None) -> Iterator[None]:
    """Expect a rejected login with the error `message`. The reason `because` is in the log only."""
    before = len(postgres.auth_log())
    with pytest.raises(psycopg2.OperationalError) as refusal:
        yield
    assert re.search(message, str(refusal.value))
    if because is not None:
        decisions = postgres.auth_log()[before:]
        assert len(decisions) == 1
        assert re.search(f" refused .*{because}", decisions[0])
        assert because not in str(refusal.value)


def test_a_token_of_an_iam_role_is_accepted(proxy: ProxyClient, iam_role: str) -> None:
    with closing(proxy.connect_with_token(iam_role)) as session:
        assert query(session, "SELECT current_user, session_user") == [(iam_role, iam_role)]
    assert f'accepted host "127.0.0.1", user "{iam_role}"' in proxy.postgres.auth_log()[-1]
    assert SIGNER.access_key in proxy.postgres.auth_log()[-1]


def test_an_expired_token_is_rejected(proxy: ProxyClient, iam_role: str) -> None:
    token = proxy.token(iam_role, at=datetime.now(UTC) - timedelta(minutes=16))
    with rejected(proxy.postgres, f'PAM authentication failed for user "{iam_role}"', because="the token expired"):
        proxy.connect(iam_role, token)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ({"host": "localhost"}, "the address of the token must be '127.0.0.1:.*got 'localhost:"),
        ({"port": 5432}, "got '127.0.0.1:5432'"),
        ({"region": "us-east-1"}, "the region of X-Amz-Credential must be 'eu-central-1' .got 'us-east-1'"),
    ],
    ids=["host", "port", "region"],
)
def test_a_token_for_another_place_is_rejected(
    proxy: ProxyClient, iam_role: str, target: dict[str, str], reason: str
) -> None:
    token = proxy.token(iam_role, **target)  # type: ignore[arg-type] # one of a token's settings
    with rejected(proxy.postgres, "PAM authentication failed", because=reason):
        proxy.connect(iam_role, token)


def test_a_token_for_another_user_is_rejected(proxy: ProxyClient, iam_role: str) -> None:
    with rejected(
        proxy.postgres,
        "PAM authentication failed",
        because="DBUser must be the user of the login, .*got 'another_user'",
    ):
        proxy.connect(iam_role, proxy.token("another_user"))


def test_a_token_of_a_principal_without_a_policy_for_the_user_is_rejected(
    proxy: ProxyClient, iam_role: str, token_verifier: StaticTokenVerifier
) -> None:
    token_verifier.put("ASIAANOTHER", Credential("secret", "session", allow=(f"{RESOURCE}/another",)))
    token = proxy.token(iam_role, signer=Signer("ASIAANOTHER", "secret", "session"))
    with rejected(proxy.postgres, "PAM authentication failed", because="no policy of 'ASIAANOTHER' allows"):
        proxy.connect(iam_role, token)


@pytest.mark.parametrize("password", [PASSWORD, "x", "x" * 65_000])
def test_a_password_of_an_iam_role_is_rejected(
    proxy: ProxyClient, password_role: str, iam_role: str, password: str
) -> None:
    with rejected(proxy.postgres, "PAM authentication failed", because="the token must "):
        proxy.connect(iam_role, password)


def test_a_login_by_token_without_encryption_is_rejected(proxy: ProxyClient, iam_role: str) -> None:
    rejection = f'pg_hba.conf rejects connection for host "127.0.0.1", user "{iam_role}", database "app", no encryption'
    with rejected(proxy.postgres, rejection):
        proxy.connect_with_token(iam_role, sslmode="disable")


def test_a_login_by_password_without_encryption_is_rejected(proxy: ProxyClient) -> None:
    rejection = 'no pg_hba.conf entry for host "127.0.0.1", user "postgres", database "app", no encryption'
    with rejected(proxy.postgres, rejection):
        proxy.connect_as_master(sslmode="disable")


@pytest.mark.parametrize(("user", "database"), [("rdsadmin", "app"), ("postgres", "rdsadmin")])
def test_the_role_and_the_database_rdsadmin_are_rejected(proxy: ProxyClient, user: str, database: str) -> None:
    with rejected(proxy.postgres, "pg_hba.conf rejects connection for .* SSL encryption"):
        proxy.connect(user, SETTINGS.master_password, dbname=database)


def test_a_client_that_trusts_another_certificate_authority_does_not_connect(
    proxy: ProxyClient, iam_role: str, tmp_path: Path
) -> None:
    with rejected(proxy.postgres, "certificate verify failed"):
        proxy.connect_with_token(iam_role, sslrootcert=str(CertificateAuthority(tmp_path).ca_path))


def test_a_client_that_expects_another_host_name_does_not_connect(proxy: ProxyClient) -> None:
    with rejected(proxy.postgres, 'does not match host name "db.example.com"'):
        proxy.connect_as_master(host="db.example.com", hostaddr=proxy.postgres.host)


def test_the_master_logs_in_by_password_and_is_not_a_superuser(proxy: ProxyClient) -> None:
    with closing(proxy.connect_as_master()) as session:
        assert query(session, "SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = user") == [
            (False, True, True)
        ]
        assert session.info.ssl_attribute("protocol") in ("TLSv1.2", "TLSv1.3")


def test_a_password_is_exchanged_by_scram_only(proxy: ProxyClient, password_role: str) -> None:
    proxy.connect(password_role, PASSWORD, require_auth="scram-sha-256").close()


def test_a_wrong_password_is_rejected(proxy: ProxyClient, password_role: str) -> None:
    with rejected(proxy.postgres, f'password authentication failed for user "{password_role}"'):
        proxy.connect(password_role, "wrong")


def test_a_role_that_does_not_exist_is_rejected_like_a_wrong_password(proxy: ProxyClient) -> None:
    with rejected(proxy.postgres, 'password authentication failed for user "nobody here"'):
        proxy.connect("nobody here", PASSWORD)


def test_a_member_of_rds_superuser_logs_in_by_password(proxy: ProxyClient, password_role: str) -> None:
    proxy.postgres.admin(f"GRANT rds_superuser TO {password_role}")
    proxy.connect(password_role, PASSWORD).close()


def test_the_master_logs_in_by_password_after_it_created_an_iam_role(proxy: ProxyClient) -> None:
    with closing(proxy.connect_as_master()) as master:
        query(master, "CREATE ROLE created_by_master LOGIN; GRANT rds_iam TO created_by_master")
    proxy.connect_as_master().close()
    proxy.connect_with_token("created_by_master").close()
    proxy.postgres.admin("DROP ROLE created_by_master")


def test_a_role_that_inherits_rds_iam_through_another_role_logs_in_by_token(
    proxy: ProxyClient, password_role: str
) -> None:
    proxy.postgres.admin(f"CREATE ROLE between; GRANT rds_iam TO between; GRANT between TO {password_role}")
    proxy.connect_with_token(password_role).close()
    with rejected(proxy.postgres, "PAM authentication failed", because="the token must be a presigned URL"):
        proxy.connect(password_role, PASSWORD)
    proxy.postgres.admin("DROP ROLE between")


def test_the_log_contains_no_token_and_no_password(proxy: ProxyClient, iam_role: str) -> None:
    token = proxy.token(iam_role)
    proxy.connect(iam_role, token).close()
    with rejected(proxy.postgres, "PAM"):
        proxy.connect(iam_role, token.replace("900", "899"))
    log = "\n".join(proxy.postgres.auth_log())
    assert token[-64:] not in log
    assert SETTINGS.master_password not in log
