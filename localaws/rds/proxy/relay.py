"""Relay bytes between a client and the server, in both directions."""

import asyncio
import ssl
from asyncio import StreamReader, StreamWriter

CHUNK_SIZE = 256 * 1024

type Stream = tuple[StreamReader, StreamWriter]


async def relay(client: Stream, server: Stream) -> None:
    """Relay until the server closes its side. The server does so when its client terminates or disconnects."""
    upward = asyncio.create_task(_pump(client[0], server[1]))
    try:
        await _pump(server[0], client[1])
    finally:
        upward.cancel()
        await asyncio.gather(upward, return_exceptions=True)
        server[1].close()


async def _pump(source: StreamReader, sink: StreamWriter) -> None:
    """Relay in one direction. The end or the loss of the source ends the sink."""
    try:
        while chunk := await source.read(CHUNK_SIZE):
            sink.write(chunk)
            await sink.drain()
    except (OSError, ssl.SSLError):
        sink.transport.abort()
    else:
        _finish(sink)


def _finish(sink: StreamWriter) -> None:
    if sink.can_write_eof() and not sink.is_closing():
        sink.write_eof()
    else:
        sink.close()  # TLS cannot close one direction only
