"""The time limits of the querier's session. The server enforces them, because a killed function cannot."""

LOGIN_SECONDS = 20.0
LOCK_TIMEOUT_SECONDS = 5.0
STATEMENT_TIMEOUT_SECONDS = 6.0
IDLE_SECONDS = 60.0


def server_settings() -> dict[str, str]:
    """Return the server's settings for the session.

    The server ends the session of a killed function: within 2 s during a statement, after the statement timeout
    between the statements of a transaction, and after a minute otherwise.
    """
    return {
        "lock_timeout": _milliseconds(LOCK_TIMEOUT_SECONDS),
        "statement_timeout": _milliseconds(STATEMENT_TIMEOUT_SECONDS),
        "idle_in_transaction_session_timeout": _milliseconds(STATEMENT_TIMEOUT_SECONDS),
        "idle_session_timeout": _milliseconds(IDLE_SECONDS),
        "client_connection_check_interval": "2s",
        "tcp_keepalives_idle": "30",
        "tcp_keepalives_interval": "10",
        "tcp_keepalives_count": "3",
    }


def _milliseconds(seconds: float) -> str:
    return f"{int(seconds * 1000)}ms"
