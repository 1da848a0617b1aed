"""Figures and tables of scans, regression tables, and the appendix of a paper."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from replica.report.appendix import write_report as write_report
    from replica.report.bibliography import citations as citations

# Nothing heavy is imported before it is used.
_PUBLIC = {"citations": "bibliography", "write_report": "appendix"}

__all__ = ["citations", "write_report"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'replica.report' has no attribute {name!r}")
    return getattr(importlib.import_module(f"replica.report.{_PUBLIC[name]}"), name)
