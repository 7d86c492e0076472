"""The bus of one process."""

from __future__ import annotations

import asyncio

from helicon_server.bus.in_process import InProcessBus
from tests.integration.bus.listener import Listener


async def test_hint__while_listening__arrives_once_for_several() -> None:
    bus, listener = InProcessBus(), Listener()
    await bus.start(listener)
    bus.hint()
    bus.hint()
    assert listener.hints == 0, "the listener must not run inside the transaction that hints"
    await listener.first()
    await asyncio.sleep(0)
    assert listener.hints == 1
    bus.hint()
    await listener.beyond(1, "a later commit")


async def test_hint__before_start_and_after_stop__is_nobodys() -> None:
    bus, listener = InProcessBus(), Listener()
    bus.hint()
    await bus.start(listener)
    bus.hint()
    await bus.stop()
    bus.hint()
    for _ in range(5):
        await asyncio.sleep(0)
    assert listener.hints == 0


async def test_hint__listener_fails__neither_the_caller_nor_the_next_hint_suffers() -> None:
    bus, listener = InProcessBus(), Listener()
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["exception"]))

    def fail_once() -> None:
        listener()
        if listener.hints == 1:
            raise ZeroDivisionError

    await bus.start(fail_once)
    bus.hint()
    await listener.first()
    bus.hint()
    await listener.beyond(1, "a later commit")
    assert [ZeroDivisionError] == [type(complaint) for complaint in complaints]
