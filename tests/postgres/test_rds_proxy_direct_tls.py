"""TLS without a request, and the name of the protocol in TLS (ALPN), which exist since PostgreSQL 17."""

import ssl
from contextlib import closing

import psycopg2
import pytest

from tests.postgres.proxies import GSSENC_REQUEST, SSL_REQUEST, ProxyClient, answer, iam_role, query, startup
from tests.postgres.servers import Cluster

FIRST_VERSION_WITH_DIRECT_TLS = 17
IAM_ROLE = "role_of_direct_tls"


@pytest.fixture
def any_proxy(any_version: Cluster) -> ProxyClient:
    return ProxyClient(any_version.postgres)


def test_direct_tls_is_accepted_from_postgresql_17_on(any_proxy: ProxyClient) -> None:
    with iam_role(any_proxy, IAM_ROLE):
        if any_proxy.postgres.server_version < FIRST_VERSION_WITH_DIRECT_TLS:
            with pytest.raises(psycopg2.OperationalError, match="SSL"):
                any_proxy.connect_with_token(IAM_ROLE, sslnegotiation="direct")
            return
        with closing(any_proxy.connect_with_token(IAM_ROLE, sslnegotiation="direct")) as session:
            assert query(session, "SELECT current_user") == [(IAM_ROLE,)]
        any_proxy.connect_as_master(sslnegotiation="direct").close()


def test_direct_tls_without_alpn_ends_the_connection_without_a_message(proxy: ProxyClient) -> None:
    with proxy.direct_tls([]) as client:
        client.sendall(startup(b"user\0postgres\0\0"))
        assert answer(client) == b""
    assert "without ALPN protocol negotiation extension" in proxy.postgres.auth_log()[-1]


def test_direct_tls_with_another_alpn_protocol_is_rejected(proxy: ProxyClient) -> None:
    with pytest.raises(ssl.SSLError, match=r"(?i)no.application.protocol"):
        proxy.direct_tls(["h2", "http/1.1"])
    with proxy.direct_tls(["h2", "postgresql"]) as client:
        assert client.selected_alpn_protocol() == "postgresql"


def test_requested_tls_with_another_alpn_protocol_is_rejected_from_postgresql_17_on(any_proxy: ProxyClient) -> None:
    context = ssl.create_default_context(cafile=any_proxy.postgres.ca_path)
    context.set_alpn_protocols(["h2"])
    with any_proxy.socket() as plain:
        plain.sendall(SSL_REQUEST)
        assert plain.recv(1) == b"S"
        if any_proxy.postgres.server_version < FIRST_VERSION_WITH_DIRECT_TLS:
            context.wrap_socket(plain, server_hostname=any_proxy.postgres.host).close()
            return
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(plain, server_hostname=any_proxy.postgres.host)


def test_a_request_for_encryption_within_direct_tls_is_declined(proxy: ProxyClient) -> None:
    with proxy.direct_tls(["postgresql"]) as client:
        for request in (SSL_REQUEST, GSSENC_REQUEST, SSL_REQUEST):
            client.sendall(request)
            assert client.recv(1) == b"N"
        client.sendall(SSL_REQUEST)
        assert b"unsupported frontend protocol 1234.5679: server supports 3.0 to 3." in answer(client)


def test_bytes_that_arrive_with_a_declined_request_are_rejected(proxy: ProxyClient) -> None:
    with proxy.direct_tls(["postgresql"]) as client:
        client.sendall(SSL_REQUEST + startup(b"user\0postgres\0\0"))
        reply = answer(client)
    assert reply.startswith(b"NE")
    assert b"received unencrypted data after SSL request" in reply
