"""One thread for linear algebra: matrices are small, and what is parallel are the manifolds."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from functools import cache
from typing import Any


@cache
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextlib.contextmanager
def single_threaded_algebra() -> Iterator[None]:
    """Let products of matrices use one thread, in the whole process, while inside.

    Threads of a library that wait for each other on a busy machine can take a hundred times as
    long as one that does the work alone.
    """
    with _controller().limit(limits=1, user_api="blas"):
        yield


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
