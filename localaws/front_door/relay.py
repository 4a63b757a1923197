"""Carry bytes both ways between a client and the server until both are done."""

import asyncio
import ssl
from asyncio import StreamReader, StreamWriter

PIECE = 256 * 1024

type Stream = tuple[StreamReader, StreamWriter]


async def relay(client: Stream, server: Stream) -> None:
    """Carry bytes until the server has closed its side, as it does when its client has said goodbye or gone."""
    upward = asyncio.create_task(_pump(client[0], server[1]))
    try:
        await _pump(server[0], client[1])
    finally:
        upward.cancel()
        await asyncio.gather(upward, return_exceptions=True)


async def _pump(source: StreamReader, sink: StreamWriter) -> None:
    """Carry one way; the end of the source, or its loss, becomes the end of the sink."""
    try:
        while piece := await source.read(PIECE):
            sink.write(piece)
            await sink.drain()
    except (OSError, ssl.SSLError):
        sink.transport.abort()
    else:
        _finish(sink)


def _finish(sink: StreamWriter) -> None:
    if sink.can_write_eof() and not sink.is_closing():
        sink.write_eof()
    else:
        sink.close()  # TLS cannot close one direction alone
