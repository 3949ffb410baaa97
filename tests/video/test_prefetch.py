from __future__ import annotations

import threading
import time

import pytest

from edgeavatar.video import prefetch


def workers() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "edgeavatar-prefetch"]


def test_items_come_in_order_from_another_thread() -> None:
    made_in = set()

    def make():
        for i in range(100):
            made_in.add(threading.current_thread().name)
            yield i

    assert list(prefetch(make)) == list(range(100))
    assert made_in == {"edgeavatar-prefetch"}
    assert not workers()


def test_it_does_not_run_ahead_of_its_depth() -> None:
    made = []

    def make():
        for i in range(1000):
            made.append(i)
            yield i

    ahead = prefetch(make, depth=3)
    assert next(ahead) == 0
    time.sleep(0.2)
    # One in the consumer's hands, three waiting, one in the making.
    assert len(made) == 5
    ahead.close()
    assert len(made) == 5


def test_an_error_comes_after_the_items_before_it() -> None:
    def make():
        yield 1
        yield 2
        raise KeyError("broken")

    ahead = prefetch(make)
    assert [next(ahead), next(ahead)] == [1, 2]
    with pytest.raises(KeyError, match="broken"):
        next(ahead)
    assert not workers()


def test_an_error_while_making_the_iterable() -> None:
    def make():
        raise OSError("no file")

    with pytest.raises(OSError, match="no file"):
        next(prefetch(make))


def test_closing_early_ends_the_thread_and_closes_the_source() -> None:
    closed_in = []

    def make():
        try:
            yield from range(1000)
        finally:
            closed_in.append(threading.current_thread().name)

    ahead = prefetch(make)
    next(ahead)
    ahead.close()
    assert closed_in == ["edgeavatar-prefetch"]
    assert not workers()


def test_an_error_in_the_consumer_ends_the_thread() -> None:
    def consume():
        for item in prefetch(lambda: range(1000)):
            if item == 3:
                raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        consume()
    assert not workers()
