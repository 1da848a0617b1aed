"""Run the code blocks of the documents, and write their outputs and equations into them.

``python docs/pages.py`` writes what is out of date in all pages, and
``python docs/pages.py README.md`` in some.

A page is Markdown. Its ``python`` blocks run in order in one namespace, but for those whose first
line is ``# name.py``, which are files, like ``toml`` blocks that begin with ``# name.toml``; in its
``bash`` blocks the lines that begin with ``replica`` run too. A ``text`` block below a comment
``<!-- output -->`` holds what the blocks since the last one printed, a ``math`` block below
``<!-- equations: NAME -->`` the equations of a built-in model, with ``<!-- equations: NAME,
one step -->`` those of one step of replica-symmetry breaking.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import math
import os
import re
import shlex
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("MPLBACKEND", "Agg")

import click

import replica
from replica import cli
from replica.derive.ansatz import ONE_STEP

ROOT = Path(__file__).resolve().parent.parent
_FENCE = re.compile(
    r"(?:^<!-- (?P<mark>output|equations: [^\n]*?) -->\n+)?"
    r"^```(?P<kind>\w+)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?(?![\w])")
# How a point was solved may differ from one processor to the next; what was found may not.
_UNSTABLE = re.compile(r"residual \S+, \d+ evaluations|\+- \S+|\d+\.\d+ (?:ms|s)\b")
_RELATIVE, _ABSOLUTE = 1e-6, 1e-9


@dataclass(frozen=True)
class Block:
    """A fenced block: its comment, language and text, and where the text stands in the page."""

    mark: str
    kind: str
    body: str
    start: int
    line: int


@dataclass(frozen=True)
class Shown:
    """A block that shows a result: what the page says, and what comes out."""

    block: Block
    actual: str

    @property
    def agrees(self) -> bool:
        """Whether both are equal, numbers to a tolerance."""
        return same_text(self.block.body, self.actual)


def pages() -> list[Path]:
    """Return the README and all pages of the documents."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(text: str) -> Iterator[Block]:
    """Find the fenced blocks of a page."""
    for found in _FENCE.finditer(text):
        start = found.start("body")
        line = text.count("\n", 0, start) + 1
        yield Block(found["mark"] or "", found["kind"], found["body"], start, line)


def run_page(path: Path) -> Iterator[Shown]:
    """Run a page in a folder of its own, and yield each result beside what the page says."""
    text = path.read_text(encoding="utf-8")
    namespace: dict[str, Any] = {"__name__": "__main__"}
    printed = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for block in blocks(text):
            if block.mark.startswith("equations:"):
                yield Shown(block, equations(block.mark.removeprefix("equations:").strip()))
            elif block.mark == "output":
                yield Shown(block, _plain(printed.getvalue()))
                printed = io.StringIO()
            elif block.kind == "python":
                # Blank lines before the code make a traceback name the line of the page.
                source = "\n" * (block.line - 1) + block.body
                with contextlib.redirect_stdout(printed), warnings.catch_warnings():
                    exec(compile(source, str(path), "exec"), _file(block.body) or namespace)
            elif block.kind == "toml":
                _file(block.body)
            elif block.kind == "bash":
                _run_commands(block.body, printed)


def _file(body: str) -> dict[str, Any] | None:
    """Save a block that is a file, for the command line, and return a namespace of its own."""
    found = re.match(r"# (\w+\.(?:py|toml))\n", body)
    if found is None:
        return None
    Path(found[1]).write_text(body, encoding="utf-8")
    return {"__name__": found[1]}


def _run_commands(body: str, printed: io.StringIO) -> None:
    for line in body.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] != ["replica"]:
            continue
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            code = _exit_code(words[1:])
        wanted = re.search(r"# exit code (\d)", line)
        if code != int(wanted[1] if wanted else 0):
            raise RuntimeError(f"{line!r} ended with exit code {code}:\n{printed.getvalue()}")


def _exit_code(words: list[str]) -> Any:
    handlers = logging.getLogger().handlers[:]
    try:
        cli.main(words)
    except SystemExit as end:
        return end.code
    finally:
        logging.getLogger().handlers[:] = handlers  # the command logs to a stream that is closed


def equations(wanted: str) -> str:
    """Return the ``align`` block of a model, without the list of symbols."""
    name, _, step = (word.strip() for word in wanted.partition(","))
    saddle = replica.load(name).saddle_point(ansatz=ONE_STEP if step else None)
    body, end, _ = saddle.latex().partition(r"\end{align}")
    return body + end + "\n"


def same_text(first: str, second: str) -> bool:
    """Whether two texts are equal but for spaces, and numbers but for a tolerance."""
    first, second = (_UNSTABLE.sub("", text) for text in (first, second))
    if _NUMBER.sub("#", first).split() != _NUMBER.sub("#", second).split():
        return False
    pairs = zip(_NUMBER.findall(first), _NUMBER.findall(second), strict=True)
    return all(
        math.isclose(float(a), float(b), rel_tol=_RELATIVE, abs_tol=_ABSOLUTE) for a, b in pairs
    )


def _plain(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines()) + "\n"


def refresh(path: Path) -> int:
    """Write the results that are out of date into a page, and return how many there were."""
    text = path.read_text(encoding="utf-8")
    stale = [shown for shown in run_page(path) if not shown.agrees]
    for shown in reversed(stale):
        end = shown.block.start + len(shown.block.body)
        text = text[: shown.block.start] + shown.actual + text[end:]
    if stale:
        path.write_text(text, encoding="utf-8")
    return len(stale)


def main() -> None:
    """Refresh pages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", type=Path, help="pages to refresh (default: all)")
    for path in parser.parse_args().pages or pages():
        count = refresh(path.resolve())
        click.echo(f"{path}: {count} result{'s' if count != 1 else ''} written")


if __name__ == "__main__":
    main()
