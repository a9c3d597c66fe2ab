"""What a method gave, kept by its arguments, without keeping its object."""

from __future__ import annotations

from collections.abc import Callable
from functools import _lru_cache_wrapper, lru_cache
from typing import TypeVar
from weakref import WeakMethod

T = TypeVar("T")


def keeping(most: int, method: Callable[..., T]) -> _lru_cache_wrapper[T]:
    """A bound method that remembers its last ``most`` answers, to be held by its own object.

    A plain ``lru_cache`` would hold the object in turn. An index that was replaced would then stay mapped, with all that was read of it,
    until the garbage collector comes by, which in a service takes many releases.

    >>> class Doubling:
    ...     def __init__(self) -> None:
    ...         self.twice = keeping(8, self._twice)
    ...     def _twice(self, number: int) -> int:
    ...         print("reckoned")
    ...         return 2 * number
    >>> doubling = Doubling()
    >>> doubling.twice(2), doubling.twice(2)
    reckoned
    (4, 4)
    """
    owned = WeakMethod(method)

    @lru_cache(maxsize=most)
    def call(*arguments: object) -> T:
        bound = owned()
        assert bound is not None, "it is called by its object alone"
        return bound(*arguments)

    return call
