from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from rds_iam.errors import SettingsError
from rds_iam.settings import DatabaseSettings
from rds_iam.token import generate_token

SETTINGS = DatabaseSettings("db.example", 5432, "app", "migrator", Path("rds-ca.pem"), "eu-central-1")
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}


def test_a_token_is_a_presigned_url_without_its_scheme() -> None:
    token = generate_token(SETTINGS, KEYS | {"AWS_SESSION_TOKEN": "session"})
    url = urlsplit(f"//{token}")
    assert (url.netloc, url.path) == ("db.example:5432", "/")
    query = {name: value for name, (value,) in parse_qs(url.query).items()}
    assert query["Action"] == "connect"
    assert query["DBUser"] == "migrator"
    assert query["X-Amz-Expires"] == "900"
    assert query["X-Amz-Security-Token"] == "session"
    assert query["X-Amz-Credential"].split("/")[0] == "AKIDEXAMPLE"
    assert query["X-Amz-Credential"].split("/")[2:] == ["eu-central-1", "rds-db", "aws4_request"]


def test_a_token_of_credentials_without_a_session_has_no_session_token() -> None:
    assert "X-Amz-Security-Token" not in generate_token(SETTINGS, KEYS)


def test_missing_credentials_are_rejected_with_their_names() -> None:
    with pytest.raises(SettingsError, match="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set"):
        generate_token(SETTINGS, {})
