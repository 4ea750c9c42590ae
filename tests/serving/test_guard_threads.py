"""Guards that take long over long texts hold up nothing else that needs a thread."""

from __future__ import annotations

import asyncio
import threading

from mainspring.serving.guarded import apart


def test_guards_leave_the_threads_of_everything_else_alone() -> None:
    go_on, reading = threading.Event(), threading.Semaphore(0)

    def read() -> str:
        reading.release()
        go_on.wait(60)
        return threading.current_thread().name

    async def work() -> list[str]:
        # More than the event loop has threads of its own.
        guards = [asyncio.ensure_future(apart(100_000, read)) for _ in range(40)]
        await asyncio.get_running_loop().run_in_executor(None, reading.acquire)
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "a key is checked"), 30) == "a key is checked"
        go_on.set()
        return await asyncio.gather(*guards)

    assert all(name.startswith("guards") for name in asyncio.run(work()))
