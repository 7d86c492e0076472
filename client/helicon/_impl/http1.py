"""Reads one HTTP/1.1 answer from a stream of bytes. No sockets, so every malformed answer can be tested.

Written instead of using `http.client`, whose import alone takes a third of the time in which
`helicon run` has to have started the program, and whose time-outs apply to each read and not to the whole.
"""

from __future__ import annotations

from typing import NamedTuple

from helicon._impl.errors import UnavailableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

HEAD_LIMIT = 64 * 1024
"""Bytes of the status line and all headers."""

_BLOCK = 64 * 1024


class Answer(NamedTuple):
    """One complete answer."""

    status: int
    headers: dict[str, str]
    """Names in lower case; of a repeated header the values joined with a comma."""
    body: bytes
    reusable: bool
    """Whether another request may follow on the same connection."""


class ConnectionLostError(UnavailableError):
    """The other side closed or reset the connection before the answer was complete."""

    def __init__(self, message: str, *, began: bool) -> None:
        super().__init__("connection_lost", message)
        self.began = began
        """Whether any byte of the answer had come."""


def build_request(target: str, headers: dict[str, str]) -> bytes:
    """Builds the bytes of a GET request. The caller has encoded the target."""
    lines = [f"GET {target} HTTP/1.1", *[f"{name}: {value}" for name, value in headers.items()], "", ""]
    return "\r\n".join(lines).encode("latin-1")


def read_answer(receive: Callable[[int], bytes], *, limit: int) -> Answer:
    """Reads one answer to a GET request; `receive(n)` yields up to n bytes, or none at the end.

    Raises `ConnectionLostError`, or `UnavailableError` with code `bad_http` or `too_large`.
    """
    stream = _Stream(receive)
    while True:
        version, status = _status_line(stream.line())
        headers = _headers(stream)
        if status >= 200:
            break
    body, delimited = _body(stream, status, headers, limit)
    tokens = [token.strip().lower() for token in headers.get("connection", "").split(",")]
    keeps = "close" not in tokens and (version != "HTTP/1.0" or "keep-alive" in tokens)
    return Answer(status, headers, body, keeps and delimited and not stream.buffer)


class _Stream:
    """Buffers what was received beyond what was asked for."""

    def __init__(self, receive: Callable[[int], bytes]) -> None:
        self._receive = receive
        self.buffer = b""
        self.began = False
        self._head_left = HEAD_LIMIT

    def more(self) -> bool:
        block = self._receive(_BLOCK)
        self.began = self.began or bool(block)
        self.buffer += block
        return bool(block)

    def line(self) -> str:
        while (end := self.buffer.find(b"\n")) < 0:
            if len(self.buffer) > self._head_left:
                raise UnavailableError("bad_http", "the head of the answer is too long")
            if not self.more():
                raise self.lost()
        self._head_left -= end
        if self._head_left < 0:
            raise UnavailableError("bad_http", "the head of the answer is too long")
        line, self.buffer = self.buffer[:end], self.buffer[end + 1 :]
        return line.rstrip(b"\r").decode("latin-1")

    def lost(self) -> ConnectionLostError:
        what = "in the middle of the answer" if self.began else "before it answered"
        return ConnectionLostError(f"the server closed the connection {what}", began=self.began)

    def forget_head(self) -> None:
        self._head_left = HEAD_LIMIT

    def exactly(self, length: int) -> bytes:
        blocks, left = [self.buffer[:length]], length - len(self.buffer)
        self.buffer = self.buffer[length:]
        while left > 0:
            block = self._receive(min(left, _BLOCK))
            if not block:
                raise self.lost()
            blocks.append(block)
            left -= len(block)
        return b"".join(blocks)

    def to_the_end(self, limit: int) -> bytes:
        blocks, size = [self.buffer], len(self.buffer)
        self.buffer = b""
        while size <= limit and (block := self._receive(_BLOCK)):
            blocks.append(block)
            size += len(block)
        if size > limit:
            raise _too_large(limit)
        return b"".join(blocks)


def _status_line(line: str) -> tuple[str, int]:
    version, _, rest = line.partition(" ")
    status = rest[:3]
    sound = version.startswith("HTTP/1.") and status.isascii() and status.isdigit() and rest[3:4] in ("", " ")
    if not sound or len(status) != 3 or not 100 <= int(status) <= 599 or int(status) == 101:
        raise UnavailableError("bad_http", "the answer does not begin like HTTP/1.1")
    return version, int(status)


def _headers(stream: _Stream) -> dict[str, str]:
    headers: dict[str, str] = {}
    while line := stream.line():
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise UnavailableError("bad_http", "the answer has a malformed header")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def _body(stream: _Stream, status: int, headers: dict[str, str], limit: int) -> tuple[bytes, bool]:
    """Reads the body; the second part says whether its end was marked by anything but the end of the stream."""
    if status in (204, 304):
        return b"", True
    encoding = headers.get("transfer-encoding")
    length = headers.get("content-length")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise UnavailableError("bad_http", "the answer is compressed, which was not asked for")
    if encoding is not None:
        if encoding.lower() != "chunked" or length is not None:
            raise UnavailableError("bad_http", "the answer has conflicting lengths")
        return _chunked(stream, limit), True
    if length is None:
        return stream.to_the_end(limit), False
    if not (length.isascii() and length.isdigit()) or len(length) > 18:
        raise UnavailableError("bad_http", "the answer has a malformed length")
    if int(length) > limit:
        raise _too_large(limit)
    return stream.exactly(int(length)), True


def _chunked(stream: _Stream, limit: int) -> bytes:
    blocks: list[bytes] = []
    size = 0
    while True:
        # The bound on the head counts lines of one head; between chunks it starts afresh.
        stream.forget_head()
        text = stream.line().partition(";")[0].strip()
        if not text or len(text) > 16 or any(char not in "0123456789abcdefABCDEF" for char in text):
            raise UnavailableError("bad_http", "the answer has a malformed chunk")
        length = int(text, 16)
        size += length
        if size > limit:
            raise _too_large(limit)
        if length == 0:
            _headers(stream)
            return b"".join(blocks)
        blocks.append(stream.exactly(length))
        if stream.line():
            raise UnavailableError("bad_http", "the answer has a malformed chunk")


def _too_large(limit: int) -> UnavailableError:
    return UnavailableError("too_large", f"the answer is larger than {limit} bytes")
