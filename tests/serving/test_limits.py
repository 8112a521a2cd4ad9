"""Places and work are shared among clients."""

import asyncio
import threading

import pytest

from mgtl_tf.serving.limits import Refused, WorkQueue


def test_a_client_leaves_places_to_others():
    """Three places; whoever has two must let the others in."""
    queue = WorkQueue(3, 2, 1.0)
    with queue.place("a"), queue.place("a"):
        with pytest.raises(Refused, match="of yours") as error:
            queue.place("a").__enter__()
        assert error.value.status == 503
        with queue.place("b"):
            assert queue.taken == 3
            with pytest.raises(Refused, match="too many"):
                queue.place("c").__enter__()
    assert queue.taken == 0


def test_one_client_s_work_leaves_a_worker_to_others():
    """What takes long for one is not waited for by another."""

    async def both():
        queue = WorkQueue(9, 9, 0.2, workers=2)
        end = threading.Event()
        first = asyncio.create_task(queue.run(lambda: end.wait(20), "a"))
        await asyncio.sleep(0)
        try:
            with pytest.raises(Refused, match="busy"):
                await queue.run(lambda: 1, "a")
            assert await queue.run(lambda: 2, "b") == 2
        finally:
            end.set()
        assert await first
        return await queue.run(lambda: 3, "a")

    assert asyncio.run(both()) == 3
