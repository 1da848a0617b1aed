"""Start-up cost: help needs none of the stages."""

import subprocess
import sys

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


def test_help_runs_without_the_stages():
    code = "import contextlib\nwith contextlib.suppress(SystemExit): main(['--help'])"
    script = f"import sys\nfrom replica.cli import main\n{code}\n"
    script += f"print('loaded', *[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "scan" in done.stdout
    assert done.stdout.splitlines()[-1] == "loaded"


def test_an_unknown_name_is_an_attribute_error():
    import replica

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = replica.nothing
    assert "load" in dir(replica)
