"""A bounded queue between two threads."""

from collections import deque
from collections.abc import Iterator
from threading import Condition
from typing import Generic, TypeVar

T = TypeVar("T")


class Stopped(Exception):  # noqa: N818, a signal as StopIteration is one
    """What a stage was about to leave in a slot is no longer wanted; the stage ends."""


class Slot(Generic[T]):
    """Holds at most `capacity` items from one thread for another one.

    A full slot lets the giver wait, or with `newest_only`, which may be set until the first item, pushes out its
    oldest item. Slots may share the condition `changed`, so that a thread can wait for several of them.
    """

    def __init__(self, capacity: int = 1, *, newest_only: bool = False, changed: Condition | None = None) -> None:
        self.changed = changed or Condition()
        self._capacity = capacity
        self.newest_only = newest_only
        self._items: deque[T] = deque()
        self._ended = False
        self._stopped = False

    def put(self, item: T) -> int:
        """Leave an item; return how many it pushed out. Raises Stopped after `stop`."""
        with self.changed:
            self.changed.wait_for(lambda: self.newest_only or self._stopped or self.has_room)
            if self._stopped:
                raise Stopped
            pushed_out = 0 if self.has_room else 1
            if pushed_out:
                self._items.popleft()
            self._items.append(item)
            self.changed.notify_all()
        return pushed_out

    def __iter__(self) -> Iterator[T]:
        """Take item after item, waiting for each, until the slot has ended and is empty, or was stopped."""
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self._items or self._ended)
                if not self._items:
                    return
                item = self.take()
            yield item

    def take(self) -> T:
        """Take the oldest item. Raises Stopped where it is gone since `has_item` was asked."""
        with self.changed:
            if not self._items:
                raise Stopped
            item = self._items.popleft()
            self.changed.notify_all()
        return item

    @property
    def has_item(self) -> bool:
        """Whether there is something to take."""
        return bool(self._items)

    @property
    def has_room(self) -> bool:
        """Whether an item fits without pushing one out."""
        return len(self._items) < self._capacity

    @property
    def is_over(self) -> bool:
        """Whether nothing is there and nothing will come."""
        return self._ended and not self._items

    def end(self) -> None:
        """Say that nothing more comes; what is there can still be taken."""
        with self.changed:
            self._ended = True
            self.changed.notify_all()

    def stop(self) -> None:
        """Throw away what is there and let both threads go on at once."""
        with self.changed:
            self._stopped = self._ended = True
            self._items.clear()
            self.changed.notify_all()
