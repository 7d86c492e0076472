"""Waiting ends with the condition or with a sentence that names it."""

from __future__ import annotations

import pytest

from tests.support.wait import DeadlinePassedError, wait_until, wait_until_async


def test_wait__condition_becomes_true__answers_its_value() -> None:
    answers = iter([None, 0, "ready"])

    assert wait_until(lambda: next(answers), 5, "answer") == "ready"


def test_wait__deadline_passes__names_what_was_awaited() -> None:
    with pytest.raises(DeadlinePassedError, match="still no second client"):
        wait_until(lambda: False, 0.0, "second client")


async def test_wait_async__plain_and_async_condition__answer_their_value() -> None:
    async def condition() -> str:
        return "async"

    assert await wait_until_async(condition, 5, "answer") == "async"
    assert await wait_until_async(lambda: "plain", 5, "answer") == "plain"


async def test_wait_async__deadline_passes__names_what_was_awaited() -> None:
    with pytest.raises(DeadlinePassedError, match="still no second client"):
        await wait_until_async(lambda: False, 0.0, "second client")
