"""Shards made by threads ahead of the one who reads them, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def in_order(make: Callable[[int], T], count: int, workers: int) -> Iterator[T]:
    """``make(0)`` to ``make(count - 1)`` in order, no more than ``workers`` made ahead of the reader.

    Threads are enough where numpy and Arrow do the work, for they let go of the interpreter.
    """
    with ThreadPoolExecutor(workers) as pool:
        ahead: deque[Future[T]] = deque()
        try:
            for shard in range(count):
                ahead.append(pool.submit(make, shard))
                if len(ahead) > workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
