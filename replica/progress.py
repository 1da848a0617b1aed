"""What long work shares: whether a progress bar shows, and a limit on time."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from collections.abc import Iterator
from contextvars import ContextVar

_END: ContextVar[float] = ContextVar("end", default=math.inf)


class OutOfTime(Exception):  # noqa: N818 - not an error: whoever set the limit handles it
    """An evaluation has taken longer than it was given."""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Let evaluations inside raise `OutOfTime` after some time, where they call `keep_time`."""
    token = _END.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _END.reset(token)


def keep_time() -> None:
    """Raise `OutOfTime` where the limit has passed."""
    if time.monotonic() > _END.get():
        raise OutOfTime


def bar_disabled(progress: bool) -> bool | None:
    """Return what tqdm takes: None leaves it to whether the output is a terminal."""
    if not progress or os.environ.get("CI"):
        return True
    # A notebook is no terminal, and yet shows a bar.
    return False if "ipykernel" in sys.modules else None
