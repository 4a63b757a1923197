"""TLS without a request for it, and the protocol's name in TLS (ALPN): both since PostgreSQL 17."""

import ssl
from contextlib import closing

import psycopg2
import pytest

from tests.postgres.doors import GSSENC_REQUEST, SSL_REQUEST, Door, answer, iam_role, query, startup
from tests.postgres.servers import Cluster

FIRST_VERSION_WITH_DIRECT_TLS = 17
IAM_ROLE = "role_of_direct_tls"


@pytest.fixture
def any_door(any_version: Cluster) -> Door:
    return Door(any_version.postgres)


def test_tls_may_begin_without_a_request_where_the_server_takes_it(any_door: Door) -> None:
    with iam_role(any_door, IAM_ROLE):
        if any_door.postgres.server_version < FIRST_VERSION_WITH_DIRECT_TLS:
            with pytest.raises(psycopg2.OperationalError, match="SSL"):
                any_door.connect_with_token(IAM_ROLE, sslnegotiation="direct")
            return
        with closing(any_door.connect_with_token(IAM_ROLE, sslnegotiation="direct")) as session:
            assert query(session, "SELECT current_user") == [(IAM_ROLE,)]
        any_door.connect_as_master(sslnegotiation="direct").close()


def test_direct_tls_without_the_name_of_the_protocol_ends_in_silence(door: Door) -> None:
    with door.direct_tls([]) as client:
        client.sendall(startup(b"user\0postgres\0\0"))
        assert answer(client) == b""
    assert "without ALPN protocol negotiation extension" in door.postgres.auth_log()[-1]


def test_another_protocol_is_refused_by_direct_tls(door: Door) -> None:
    with pytest.raises(ssl.SSLError, match=r"(?i)no.application.protocol"):
        door.direct_tls(["h2", "http/1.1"])
    with door.direct_tls(["h2", "postgresql"]) as client:
        assert client.selected_alpn_protocol() == "postgresql"


def test_another_protocol_is_refused_by_requested_tls_where_the_server_knows_protocols(any_door: Door) -> None:
    context = ssl.create_default_context(cafile=any_door.postgres.ca_path)
    context.set_alpn_protocols(["h2"])
    with any_door.socket() as plain:
        plain.sendall(SSL_REQUEST)
        assert plain.recv(1) == b"S"
        if any_door.postgres.server_version < FIRST_VERSION_WITH_DIRECT_TLS:
            context.wrap_socket(plain, server_hostname=any_door.postgres.host).close()
            return
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(plain, server_hostname=any_door.postgres.host)


def test_a_request_for_encryption_inside_of_direct_tls_is_declined(door: Door) -> None:
    with door.direct_tls(["postgresql"]) as client:
        for request in (SSL_REQUEST, GSSENC_REQUEST, SSL_REQUEST):
            client.sendall(request)
            assert client.recv(1) == b"N"
        client.sendall(SSL_REQUEST)
        assert b"unsupported frontend protocol 1234.5679: server supports 3.0 to 3." in answer(client)


def test_what_follows_a_declined_request_at_once_is_refused(door: Door) -> None:
    with door.direct_tls(["postgresql"]) as client:
        client.sendall(SSL_REQUEST + startup(b"user\0postgres\0\0"))
        reply = answer(client)
    assert reply.startswith(b"NE")
    assert b"received unencrypted data after SSL request" in reply
