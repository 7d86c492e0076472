"""uvicorn's flow control of one connection without what an idle connection never needs.

An event for writers takes most of a kilobyte; it is made when a writer has to wait.
"""

from __future__ import annotations

import asyncio


class LeanFlow:
    """Stands in for uvicorn's ``FlowControl``."""

    __slots__ = ("_transport", "_writable", "read_paused", "write_paused")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._writable: asyncio.Event | None = None
        self.read_paused = False
        self.write_paused = False

    async def drain(self) -> None:
        """Returns when the client has read enough of what was written, or is gone."""
        if self.write_paused:
            if self._writable is None:
                self._writable = asyncio.Event()
            await self._writable.wait()

    def pause_reading(self) -> None:
        """Takes no more from the client."""
        if not self.read_paused:
            self.read_paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Takes from the client again."""
        if self.read_paused:
            self.read_paused = False
            self._transport.resume_reading()

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        self.write_paused = True

    def resume_writing(self) -> None:
        """The client has read enough, or is gone."""
        self.write_paused = False
        if self._writable is not None:
            self._writable.set()
            self._writable = None
