"""The boto3 clients of the local AWS."""

from __future__ import annotations

import functools
import os
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from localaws.constants import REGION


@functools.cache  # a client takes 60 ms of processor time, and its first request a TLS handshake
def api_client(service: str, endpoint: str, access_key: str, secret_key: str, ca_path: str) -> Any:
    """Return a boto3 client with these credentials. It ignores the developer's profiles and proxies."""
    no_profile = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    session = boto3.Session(
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name=REGION,
        botocore_session=botocore.session.Session(session_vars=no_profile),
    )
    return session.client(service, endpoint_url=endpoint, verify=ca_path, config=Config(proxies={}))
