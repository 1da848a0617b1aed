"""Threads of the linear algebra: none of its own for matrices too small to gain from them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

#: From this size on a matrix product gains more from a second core than threads cost.
_LARGE = 400
_lock = threading.Lock()
_held = 0
_limiter: Any = None


@lru_cache(maxsize=1)
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def few_threads(size: int) -> Iterator[None]:
    """Use one thread for matrices of so many rows where they are small.

    The limit is that of the process: it holds until the last of several users has left.
    """
    global _held, _limiter
    if size >= _LARGE:
        yield
        return
    with _lock:
        if _held == 0:
            _limiter = _controller().limit(limits=1, user_api="blas")
            _limiter.__enter__()
        _held += 1
    try:
        yield
    finally:
        with _lock:
            _held -= 1
            if _held == 0:
                _limiter.__exit__(None, None, None)
                _limiter = None
