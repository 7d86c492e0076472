"""The clock of a node: what happens once a second, and how late the event loop was."""

from __future__ import annotations

import asyncio
import time

from helicon_server.delivery.histogram import Histogram
from helicon_server.delivery.pulse import Pulse
from tests.support.wait import wait_until_async


async def test_pulse__of_a_loop_that_was_held__shows_how_long() -> None:
    pulse = Pulse()
    pulse.start()
    await wait_until_async(lambda: len(pulse.lag) > 0, 10, "tick")
    time.sleep(0.6)  # noqa: ASYNC251  # holds the loop, which is what is measured
    await wait_until_async(lambda: pulse.longest_lag_s > 0.2, 10, "lag")
    pulse.stop()


async def test_pulse__whose_task_fails__goes_on_with_the_others() -> None:
    called: list[str] = []

    def fails() -> None:
        called.append("fails")
        raise ValueError

    pulse = Pulse([fails, lambda: called.append("works")])
    pulse.start()
    await wait_until_async(lambda: called.count("works") >= 2, 10, "two seconds of a pulse")
    assert called[:4] == ["fails", "works", "fails", "works"]
    pulse.stop()


async def test_pulse__stopped__ticks_no_more() -> None:
    pulse = Pulse()
    pulse.start()
    pulse.stop()
    pulse.stop()
    await asyncio.sleep(0.6)
    assert len(pulse.lag) == 0


def test_histogram__counts_each_value_once_and_adds_up() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (-1.0, 1.0, 1.5, 7.0):
        histogram.add(value)
    histogram.add(2.0, 10)
    assert list(histogram.cumulative()) == [(1.0, 2), (2.0, 13), (None, 14)]
    assert (len(histogram), histogram.total) == (14, 29.5)
