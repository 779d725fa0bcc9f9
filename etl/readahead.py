"""Reading the next chunk while the last one is being worked on."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
_END = object()


def readahead(items: Iterable[T]) -> Generator[T, None, None]:
    """The same items, each fetched in a thread while the one before is in use; never more than one ahead.

    An error is raised where the item would have come. The caller must not use what ``items`` reads
    from until this is exhausted or closed.
    """
    iterator = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="readahead") as pool:
        ahead: Future[object] = pool.submit(next, iterator, _END)
        while (item := ahead.result()) is not _END:
            ahead = pool.submit(next, iterator, _END)
            yield item  # type: ignore[misc]  # next() gives a T or the end mark, which was just ruled out
