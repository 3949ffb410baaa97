"""Work done ahead in one other thread, within bounds."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None


def prefetch(make: Callable[[], Iterable[T]], depth: int = 4) -> Generator[T, None, None]:
    """Yield the items of an iterable that is drained by a thread of its own.

    Parameters
    ----------
    make : callable
        Makes the iterable; called in the thread, so that generators live and are closed there.
    depth : int
        Items made ahead at most, beside the one in the consumer's hands and the one in the making.

    Yields
    ------
    T
        In order. An exception of the iterable is raised here, after the items before it. When this
        generator is closed, or collected, the thread has ended.
    """
    items: queue.Queue[T | _End] = queue.Queue(max(1, depth))
    stop = threading.Event()

    def offer(item: T | _End) -> bool:
        while not stop.is_set():
            try:
                items.put(item, timeout=0.05)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        error: BaseException | None = None
        source = None
        try:
            source = iter(make())
            for item in source:
                if not offer(item):
                    break
        except BaseException as raised:
            error = raised
        finally:
            close = getattr(source, "close", None)
            if close is not None:
                close()
        offer(_End(error))

    thread = threading.Thread(target=work, name="edgeavatar-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item = items.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        stop.set()
        thread.join()
