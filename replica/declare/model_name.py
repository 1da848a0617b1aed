"""Names of models: what a command line can take."""

from __future__ import annotations

import re
from typing import Any

from replica.errors import DeclarationError


def require_model_name(name: Any) -> None:
    """Refuse a name that is not of lower-case words joined by hyphens."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", str(name)):
        raise DeclarationError(f"model name {name!r}: expected lower-case words joined by hyphens.")
