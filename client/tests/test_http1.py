"""Reading HTTP answers, above all those that are not quite right."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helicon._impl.errors import UnavailableError
from helicon._impl.http1 import ConnectionLostError, build_request, read_answer


def stream(*blocks: bytes) -> Callable[[int], bytes]:
    """Yields the blocks, cut to the size asked for, then the end."""
    left = b"".join(blocks)
    sizes = [len(block) for block in blocks]

    def receive(size: int) -> bytes:
        nonlocal left
        take = min(size, sizes.pop(0) if sizes else len(left))
        block, left = left[:take], left[take:]
        return block

    return receive


def read(*blocks: bytes, limit: int = 1000) -> tuple[int, bytes, bool]:
    answer = read_answer(stream(*blocks), limit=limit)
    return answer.status, answer.body, answer.reusable


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", (200, b"hi", True)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: Close\r\n\r\nhi", (200, b"hi", False)),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", (200, b"hi", False)),
        (b"HTTP/1.1 200\r\n\r\nto the end", (200, b"to the end", False)),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", (304, b"", True)),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1;x=y\r\ni\r\n0\r\nT: v\r\n\r\n",
            (200, b"hi", True),
        ),
        (b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 204 No\r\n\r\n", (204, b"", True)),
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", (200, b"hi", True)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi!", (200, b"hi", False)),
    ],
)
def test_read_answer__sound__is_the_same_in_one_piece_and_byte_by_byte(
    raw: bytes, expected: tuple[int, bytes, bool]
) -> None:
    assert read(raw) == expected
    pieces = [raw[at : at + 1] for at in range(len(raw))]
    assert read(*pieces)[:2] == expected[:2]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n", "bad_http"),
        (b"HTTP/2 200\r\n\r\n", "bad_http"),
        (b"HTTP/1.1 20\r\n\r\n", "bad_http"),
        (b"HTTP/1.1 2000\r\n\r\n", "bad_http"),
        (b"HTTP/1.1 999 X\r\n\r\n", "bad_http"),
        (b"HTTP/1.1 101 Switching\r\n\r\n", "bad_http"),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "bad_http"),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n", "bad_http"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "bad_http"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nhi", "bad_http"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", "bad_http"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "bad_http"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", "bad_http"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "bad_http"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nhello\r\n", "bad_http"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000 + b"\r\n", "bad_http"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"b" * 100_000, "bad_http"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", "too_large"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999999999\r\n\r\n", "too_large"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n", "too_large"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1001, "too_large"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", "connection_lost"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe", "connection_lost"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "connection_lost"),
    ],
)
def test_read_answer__malformed__is_an_error_with_a_code(raw: bytes, code: str) -> None:
    with pytest.raises(UnavailableError) as caught:
        read(raw)
    assert caught.value.code == code


def test_read_answer__end_before_the_first_byte__says_that_nothing_began() -> None:
    with pytest.raises(ConnectionLostError) as caught:
        read()
    assert caught.value.began is False


@given(st.binary(max_size=300))
def test_read_answer__any_bytes__give_an_answer_or_an_error(raw: bytes) -> None:
    for prefix in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"):
        with contextlib.suppress(UnavailableError):
            read(prefix + raw)


def test_build_request__headers__end_with_an_empty_line() -> None:
    assert build_request("/x", {"Host": "h"}) == b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
