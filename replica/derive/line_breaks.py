r"""Break what is wider than a page inside its parentheses.

LaTeX breaks no displayed equation by itself, and ``\left(`` must meet its ``\right)`` on the same
line; ``\right.`` and ``\left.`` stand for the missing halves.
"""

from __future__ import annotations

import re

#: Letters of ordinary size in a line, beside the left side of an equation and its number.
WIDEST = 72.0
NEW_LINE = " \\\\\n  &\\quad "

_TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|.", re.DOTALL)
# What takes no space of its own.
_SILENT = {r"\left", r"\right", r"\big", r"\,", r"\operatorname", r"\mathrm", r"\mathbb", " ",
           r"\mathcal", r"\text", r"\hat", "{", "}", r"\displaystyle"}  # fmt: skip
_SCRIPT = 0.7
_OPEN, _CLOSE = r"\left(", r"\right)"


def width(latex: str) -> float:
    """Estimate how wide a formula is, in letters of ordinary size."""
    return _width(_TOKEN.findall(latex))


def break_inside(latex: str, widest: float = WIDEST) -> str:
    """Break a line that is too wide at a sum inside its widest parentheses.

    Parameters
    ----------
    latex : str
        One line of an equation.
    widest : float
        The width to stay below, in letters.

    Returns
    -------
    str
        The same formula, over several lines where that helps.
    """
    if width(latex) <= widest:
        return latex
    groups = [group for group in _groups(latex) if len(_terms(latex[slice(*group)])) > 1]
    if not groups:
        return latex
    begin, end = max(groups, key=lambda group: width(latex[slice(*group)]))
    first, *others = _terms(latex[begin:end])
    lines = [latex[:begin] + first]
    for term in others:
        if width(lines[-1]) + width(term) <= widest:
            lines[-1] += term
        else:
            lines.append(term)
    lines[-1] += latex[end:]
    return (r" \right." + NEW_LINE + r"\left. ").join(lines)


def _groups(latex: str) -> list[tuple[int, int]]:
    """Return the insides of parentheses that stand in no fraction, index or other brackets."""
    found: list[tuple[int, int]] = []
    depth, begin = 0, 0
    for match in _TOKEN.finditer(latex):
        opens = latex.startswith(_OPEN, match.start())
        if opens and depth == 0:
            begin = match.start() + len(_OPEN)
        if match[0] in ("{", r"\left"):
            depth += 1
        elif match[0] in ("}", r"\right"):
            depth -= 1
            if depth == 0 and latex.startswith(_CLOSE, match.start()) and begin:
                found.append((begin, match.start()))
                begin = 0
    return found


def _terms(latex: str) -> list[str]:
    """Divide a sum before each plus and minus that stands in no brackets."""
    depth, parts, start = 0, [], 0
    for match in _TOKEN.finditer(latex):
        if match[0] in ("{", r"\left"):
            depth += 1
        elif match[0] in ("}", r"\right"):
            depth -= 1
        at_sign = latex[match.start() : match.start() + 3] in (" + ", " - ")
        if depth == 0 and at_sign and match.start() > start:
            parts.append(latex[start : match.start()])
            start = match.start()
    return [*parts, latex[start:]]


def _width(tokens: list[str]) -> float:
    total, rest = 0.0, list(reversed(tokens))
    while rest:
        token = rest.pop()
        if token == r"\frac":
            total += max(_width(_argument(rest)), _width(_argument(rest)))
        elif token in "^_":
            total += _SCRIPT * _width(_argument(rest))
        elif token in "+-=":
            total += 2.0
        elif token not in _SILENT:
            # The names of functions are printed in full, and Greek letters are not.
            total += len(token) - 1 if token in (r"\log", r"\cosh", r"\tanh", r"\exp") else 1.0
    return total


def _argument(rest: list[str]) -> list[str]:
    """Take the argument of a command: a group in braces, or one token."""
    while rest and rest[-1] == " ":
        rest.pop()
    if not rest or rest[-1] != "{":
        return [rest.pop()] if rest else []
    depth, taken = 0, []
    while rest:
        token = rest.pop()
        depth += {"{": 1, "}": -1}.get(token, 0)
        taken.append(token)
        if depth == 0:
            break
    return taken[1:-1]
