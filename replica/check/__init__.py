"""Check: a declared model verified against itself, without reference to any published number."""

from __future__ import annotations

from replica.check.report import CheckItem, CheckReport
from replica.check.run import check

__all__ = ["CheckItem", "CheckReport", "check"]
