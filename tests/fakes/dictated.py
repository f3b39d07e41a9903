# SPDX-License-Identifier: Apache-2.0
"""An upstream that writes the chunks of its body when a test says so, each in a segment of its own."""

import asyncio

from fakes.apibase import Act, ApiBase
from fakes.wire import Connection, head_bytes


class Dictated:
    """`api.models[NAME] = dictated.act`; then say() for each chunk, and end()."""

    def __init__(self, api: ApiBase, content_type: str = "text/event-stream") -> None:
        self.api, self.act = api, Act(play=self._play)
        self.head = [("Content-Type", content_type), ("Transfer-Encoding", "chunked")]
        self._due: asyncio.Queue[bytes] = asyncio.Queue()

    def say(self, chunk: bytes) -> None:
        self.api.loop.call_soon_threadsafe(self._due.put_nowait, chunk)

    def end(self) -> None:
        self.say(b"")

    async def _play(self, connection: Connection) -> None:
        connection.send(head_bytes(200, self.head))
        while chunk := await self._due.get():
            connection.chunk(chunk)
        connection.end_chunks()
