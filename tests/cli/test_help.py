"""Start-up cost: help needs none of the stages."""

import subprocess
import sys
import time

import pytest

HEAVY = ("sympy", "numpy", "scipy", "xarray", "pandas", "matplotlib", "mpmath")


def loaded_after(code):
    script = f"import sys; {code}; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_importing_the_package_imports_nothing_heavy():
    assert loaded_after("import replica") == []
    assert loaded_after("import replica.cli") == []


def test_public_names_arrive_on_first_use():
    assert loaded_after("import replica; replica.ReplicaError; replica.load") == []


def test_help_is_instant():
    def seconds():
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-m", "replica", "--help"], capture_output=True, check=True)
        return time.perf_counter() - begin

    assert min(seconds() for _ in range(3)) < 0.5


def test_an_unknown_name_is_an_attribute_error():
    import replica

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = replica.nothing
    assert "load" in dir(replica)
