"""Waiting for a request to change, where looking at it takes longer than the wait."""

import asyncio
from uuid import UUID

from services.request_desk.ledger.watching import Watchers, changed

ID = UUID(int=1)


def test_a_look_that_takes_longer_than_the_wait_is_not_given_up() -> None:
    watchers, seen = Watchers(changes=lambda _: (), last=lambda: 0), list[int]()

    async def look(at_least: int) -> bool:
        await asyncio.sleep(0.1)
        seen.append(at_least)
        return False

    asyncio.run(changed(watchers, ID, look=look, timeout=0.01))
    assert seen == [0]
