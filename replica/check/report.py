"""What a check found: one item a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


class NotApplicable(Exception):  # noqa: N818 - not an error: the check has nothing to compare
    """A check does not concern the model; the message says why."""


@dataclass(frozen=True)
class CheckItem:
    """One comparison.

    Attributes
    ----------
    name : str
    passed : bool
    value : float
        What was measured: a deviation, the smaller the better.
    tolerance : float
        Largest value that passes.
    detail : str
        What was compared with what, and where it deviates most.
    """

    name: str
    passed: bool
    value: float
    tolerance: float
    detail: str


def item(name: str, value: float, tolerance: float, detail: str) -> CheckItem:
    """Return an item that passes up to a tolerance; NaN fails."""
    return CheckItem(
        name, bool(value <= tolerance), float(value), tolerance,
        f"{detail} ({value:.1e}, allowed {tolerance:.0e})",
    )  # fmt: skip


@dataclass(frozen=True)
class CheckReport:
    """All comparisons of a model at one point.

    Attributes
    ----------
    model : str
    parameters : mapping
    items : tuple of CheckItem
    skipped : mapping
        Checks that do not concern the model, with the reason.
    """

    model: str
    parameters: Mapping[str, float]
    items: tuple[CheckItem, ...]
    skipped: Mapping[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every comparison passed, and there was at least one."""
        return bool(self.items) and all(i.passed for i in self.items)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings, for JSON."""
        return {
            "model": self.model,
            "parameters": dict(self.parameters),
            "passed": self.passed,
            "items": [asdict(i) for i in self.items],
            "skipped": dict(self.skipped),
        }

    def __str__(self) -> str:
        point = ", ".join(f"{k} = {v:g}" for k, v in self.parameters.items())
        lines = [f"{self.model}: {'passed' if self.passed else 'FAILED'}", f"  {point}"]
        width = max((len(n) for n in [*(i.name for i in self.items), *self.skipped]), default=0)
        lines += [
            f"  {'pass' if i.passed else 'FAIL'}  {i.name:<{width}}  {i.detail}" for i in self.items
        ]
        lines += [f"  skip  {n:<{width}}  {reason}" for n, reason in self.skipped.items()]
        return "\n".join(lines)
