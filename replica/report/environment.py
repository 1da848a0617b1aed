"""With what something was computed: versions, compiler, processor."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from pathlib import Path

import replica
from replica.compile.system import choose_backend
from replica.compile.toolchain import find_compiler

_LIBRARIES = ("sympy", "numpy", "scipy", "mpmath", "xarray", "pandas", "matplotlib")


def environment() -> dict[str, str]:
    """Return what the numbers of this process depend on, by name.

    Returns
    -------
    dict of str to str
        The framework, Python, the libraries that it computes with, the C compiler with its
        version, the processor and the operating system.
    """
    found = {"replica": replica.__version__, "Python": platform.python_version()}
    found |= {name: importlib.metadata.version(name) for name in _LIBRARIES}
    found["back end"] = choose_backend(None)
    if found["back end"] == "c":
        found["compiler"] = _compiler()
    found["processor"] = _processor()
    found["system"] = f"{platform.system()} {platform.machine()}"
    return found


def _compiler() -> str:
    compiler = find_compiler()
    if compiler is None:
        return "none"
    shown = subprocess.run([*compiler.command, "--version"], capture_output=True, text=True)
    return (shown.stdout.splitlines() or ["unknown"])[0].strip()


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    if facts.is_file():
        for line in facts.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or "unknown"
