"""Rows of the result, and their Markdown."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table: what was measured, the result, and what was aimed at."""

    what: str
    result: str
    target: str = ""
    met: bool | None = None

    @property
    def verdict(self) -> str:
        """Whether the target was met."""
        return "" if self.met is None else ("yes" if self.met else "**no**")


_HEAD = """# Benchmarks

Written by `make benchmark`. Every ratio is taken within one run: the candidates alternate, and the
best of several rounds counts for each, so that other work on the machine disturbs little. Where two
threads are compared with one, a loop of plain C (SHA-256, which needs no lock of Python) is run on
one and on two threads in between: it tells how much of a second core the machine gave at all.
"""


def markdown(sections: dict[str, Sequence[Row]], notes: Sequence[str]) -> str:
    """Return the whole page."""
    lines = [_HEAD]
    for title, rows in sections.items():
        lines += [f"## {title}", "", "| what | result | target | met |", "|---|---|---|---|"]
        lines += [f"| {r.what} | {r.result} | {r.target} | {r.verdict} |" for r in rows]
        lines.append("")
    lines += ["## How it was measured", "", *(f"- {note}" for note in notes), ""]
    return "\n".join(lines)


def machine() -> str:
    """Describe processor, load, interpreter and compiler."""
    from replica.compile.toolchain import find_compiler

    processor = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            processor = next(line.split(":")[1] for line in lines if "model name" in line).strip()
    except (OSError, StopIteration):
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = f", load {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    compiler = find_compiler()
    name = "no compiler" if compiler is None else os.path.basename(compiler.command[0])
    today = datetime.date.today().isoformat()
    return f"{today}: {processor}, {cores} cores{load}; Python {platform.python_version()}, {name}."
