"""Read the application protocols (ALPN) from a TLS ClientHello message (RFC 8446 and RFC 7301)."""

from io import BytesIO

CLIENT_HELLO = 1
VERSION_AND_RANDOM = 34
ALPN_EXTENSION = 16


def alpn_protocols(handshake: bytes) -> list[str]:
    """Return the ALPN protocols of a ClientHello, or an empty list for a message without ALPN."""
    message = BytesIO(handshake)
    if _number(message, 1) != CLIENT_HELLO:
        return []
    body = BytesIO(_vector(message, 3))
    body.read(VERSION_AND_RANDOM)
    for size in (1, 2, 1):  # session id, cipher suites, compression methods
        _vector(body, size)
    extensions = BytesIO(_vector(body, 2))
    while kind := extensions.read(2):
        content = _vector(extensions, 2)
        if int.from_bytes(kind) == ALPN_EXTENSION:
            return _names(BytesIO(_vector(BytesIO(content), 2)))
    return []


def _names(protocols: BytesIO) -> list[str]:
    names = []
    while name := _vector(protocols, 1):
        names.append(name.decode("ascii", errors="backslashreplace"))
    return names


def _vector(source: BytesIO, size_bytes: int) -> bytes:
    return source.read(_number(source, size_bytes))


def _number(source: BytesIO, size: int) -> int:
    return int.from_bytes(source.read(size))
