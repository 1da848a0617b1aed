"""The C functions of vector_math.h against 40-digit values."""

from __future__ import annotations

import ctypes
import math
import platform
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, strategies
from mpmath import mp, mpf

from replica.compile import toolchain

HEADER = Path(toolchain.__file__).with_name("c") / "vector_math.h"

pytestmark = pytest.mark.skipif(toolchain.find_compiler() is None, reason="no C compiler")


def upper_tail(x: mpf) -> mpf:
    return mpmath.erfc(x / mpmath.sqrt(2)) / 2


def log_normal_cdf(x: mpf) -> mpf:
    return mpmath.log(upper_tail(-x)) if x < 0 else mpmath.log1p(-upper_tail(x))


def mills_regular(x: mpf) -> mpf:
    """pdf(x) / cdf(x) - max(-x, 0); far out the continued fraction of Laplace."""
    if x > -12:
        return mpmath.npdf(x) / upper_tail(-x) - max(-x, mpf(0))
    fraction = -x
    for k in range(300, 1, -1):
        fraction = -x + k / fraction
    return 1 / fraction


# name: (reference, relative tolerance, least and greatest argument)
REFERENCE: dict[str, tuple[Callable[[mpf], mpf], float, float, float]] = {
    "exp": (mpmath.exp, 5e-16, -707.0, 709.7),
    "log": (mpmath.log, 5e-16, 5e-324, 1e308),
    "log1p": (mpmath.log1p, 5e-16, -1.0 + 2**-53, 1e308),
    "expm1": (mpmath.expm1, 5e-16, -1e3, 709.7),
    "tanh": (mpmath.tanh, 5e-16, -1e3, 1e3),
    "erf": (mpmath.erf, 1e-15, -1e3, 1e3),
    "erfc": (mpmath.erfc, 1e-15, -1e3, 26.5),
    "erfcx": (lambda x: mpmath.exp(x * x) * mpmath.erfc(x), 1e-15, -26.6, 1e4),
    "normal_pdf": (mpmath.npdf, 1e-15, -37.5, 37.5),
    "normal_cdf": (lambda x: upper_tail(-x), 1e-15, -37.4, 40.0),
    "log_normal_cdf": (log_normal_cdf, 1e-15, -1e5, 37.4),
    "mills": (lambda x: mills_regular(x) + max(-x, mpf(0)), 1e-15, -1e12, 37.5),
    "mills_excess": (lambda x: mills_regular(x) + max(x, mpf(0)), 1e-15, -1e12, 1e3),
    "sigmoid": (lambda x: 1 / (1 + mpmath.exp(-x)), 1e-15, -707.0, 1e3),
    "softplus": (lambda x: mpmath.log1p(mpmath.exp(x)), 1e-15, -707.0, 1e3),
    "log_cosh": (lambda x: mpmath.log1p(2 * mpmath.sinh(x / 2) ** 2), 1e-15, -1e3, 1e3),
    "sech2": (lambda x: mpmath.sech(x) ** 2, 1e-15, -353.0, 353.0),
}

NAN, INF = math.nan, math.inf
# name: values at NaN, infinity, -infinity, 0
LIMITS = {
    "exp": (NAN, INF, 0.0, 1.0),
    "log": (NAN, INF, NAN, -INF),
    "log1p": (NAN, INF, NAN, 0.0),
    "expm1": (NAN, INF, -1.0, 0.0),
    "tanh": (NAN, 1.0, -1.0, 0.0),
    "erf": (NAN, 1.0, -1.0, 0.0),
    "erfc": (NAN, 0.0, 2.0, 1.0),
    "erfcx": (NAN, 0.0, INF, 1.0),
    "normal_pdf": (NAN, 0.0, 0.0, 1 / math.sqrt(2 * math.pi)),
    "normal_cdf": (NAN, 1.0, 0.0, 0.5),
    "log_normal_cdf": (NAN, 0.0, -INF, -math.log(2)),
    "mills": (NAN, 0.0, INF, math.sqrt(2 / math.pi)),
    "mills_excess": (NAN, INF, 0.0, math.sqrt(2 / math.pi)),
    "sigmoid": (NAN, 1.0, 0.0, 0.5),
    "softplus": (NAN, INF, 0.0, math.log(2)),
    "log_cosh": (NAN, INF, INF, 0.0),
    "sech2": (NAN, 0.0, 0.0, 1.0),
    "sign": (NAN, 1.0, -1.0, 0.0),
    "heaviside": (NAN, 1.0, 0.0, 0.5),
}


def source() -> str:
    loops = [
        f"void map_{name}(int n, const double *restrict x, double *restrict y) {{\n"
        f"    for (int i = 0; i < n; i++) y[i] = rv_{name}(x[i]);\n}}\n"
        for name in LIMITS
    ]
    pairs = [
        f"double pair_{name}(double a, double b) {{ return rv_{name}(a, b); }}\n"
        for name in ("max", "min")
    ]
    return "".join([HEADER.read_text(encoding="utf-8"), *loops, *pairs])


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """Load the functions as compiled for this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPLICA_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        return toolchain.load(source())


@pytest.fixture(scope="module")
def portable(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """Load the functions as compiled without the special instructions of this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPLICA_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(toolchain, "OPTIONAL_FLAGS", ((),))
        return toolchain.load(source())


@pytest.fixture(params=["native", "portable"])
def library(request: pytest.FixtureRequest) -> ctypes.CDLL:
    loaded: ctypes.CDLL = request.getfixturevalue(request.param)
    return loaded


def evaluate(library: ctypes.CDLL, name: str, x: Any) -> np.ndarray:
    x = np.ascontiguousarray(x, dtype=float)
    y = np.empty_like(x)
    pointer = ctypes.POINTER(ctypes.c_double)
    function = getattr(library, f"map_{name}")
    function(ctypes.c_int(x.size), x.ctypes.data_as(pointer), y.ctypes.data_as(pointer))
    return y


def grid(least: float, greatest: float) -> np.ndarray:
    """Arguments of all magnitudes and signs, dense around 1, with random last bits."""
    random = np.random.default_rng(7)
    magnitudes = np.concatenate(
        [10.0 ** random.uniform(-320, 308, 150), 10.0 ** random.uniform(-9, 3, 250)]
    )
    near = random.uniform(-4, 4, 250)
    moderate = random.uniform(max(least, -1e3), min(greatest, 1e3), 150)
    x = np.concatenate([magnitudes, -magnitudes, near, moderate, [least, greatest]])
    return x[(x >= least) & (x <= greatest)]


def relative_error(value: float, exact: mpf) -> float:
    if exact == 0:
        return 0.0 if value == 0 else INF
    # An ulp of a subnormal is not small, so measure from the smallest normal number on.
    return float(abs(mpf(value) - exact) / max(abs(exact), mpf(2) ** -1022))


@pytest.mark.parametrize("name", REFERENCE)
def test_agrees_with_forty_digits(library: ctypes.CDLL, name: str) -> None:
    reference, tolerance, least, greatest = REFERENCE[name]
    x = grid(least, greatest)
    y = evaluate(library, name, x)
    with mp.workdps(60):
        errors = [
            relative_error(value, reference(mpf(argument)))
            for argument, value in zip(x.tolist(), y.tolist(), strict=True)
        ]
    worst = int(np.argmax(errors))
    assert errors[worst] <= tolerance, f"at {x[worst]!r}: {y[worst]!r}"


@pytest.mark.parametrize("name", LIMITS)
def test_nan_infinities_and_zero(library: ctypes.CDLL, name: str) -> None:
    # Nine of each: the vector loop and the remainder loop both see them.
    x = np.repeat([NAN, INF, -INF, 0.0], 9)
    np.testing.assert_allclose(
        evaluate(library, name, x), np.repeat(LIMITS[name], 9), rtol=1e-15, atol=0
    )


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("magnitude", [5e-324, 1e-308, 38.6, 745.2, 1e8, 1e20, 1e155, 1.7e308])
def test_extreme_arguments_give_no_spurious_nan(
    library: ctypes.CDLL, name: str, magnitude: float
) -> None:
    undefined_for_negative = {"log": 0.0, "log1p": 1.0}.get(name, INF)
    positive, negative = evaluate(library, name, [magnitude, -magnitude])
    assert not math.isnan(positive)
    assert math.isnan(negative) == (magnitude > undefined_for_negative)


@given(x=strategies.floats(-37.0, 37.0))
def test_identities(native: ctypes.CDLL, x: float) -> None:
    def at(name: str, argument: float = x) -> float:
        return float(evaluate(native, name, [argument])[0])

    assert at("normal_cdf") + at("normal_cdf", -x) == pytest.approx(1.0, rel=1e-15)
    assert at("softplus") - at("softplus", -x) == pytest.approx(x, rel=1e-14, abs=1e-15)
    assert at("tanh") == -at("tanh", -x)
    assert at("erf") == -at("erf", -x)
    assert at("sech2") + at("tanh") ** 2 == pytest.approx(1.0, rel=2e-15)
    assert at("mills") * at("normal_cdf") == pytest.approx(at("normal_pdf"), rel=4e-15)
    assert at("mills_excess") > 0.0


def test_maximum_and_minimum_keep_nan(native: ctypes.CDLL) -> None:
    for name, expected in (("max", 2.0), ("min", 1.0)):
        function = getattr(native, f"pair_{name}")
        function.argtypes = [ctypes.c_double, ctypes.c_double]
        function.restype = ctypes.c_double
        assert function(1.0, 2.0) == function(2.0, 1.0) == expected
        assert math.isnan(function(NAN, 1.0))
        assert math.isnan(function(1.0, NAN))


def test_every_loop_vectorises_with_avx2(tmp_path: Path) -> None:
    compiler = toolchain.find_compiler()
    assert compiler is not None
    version = subprocess.run([*compiler.command, "--version"], capture_output=True, text=True)
    if "Free Software Foundation" not in version.stdout or platform.machine() != "x86_64":
        pytest.skip("reads the report of gcc for x86-64")
    text = source()
    file = tmp_path / "loops.c"
    file.write_text(text, encoding="utf-8")
    options = (*toolchain.FLAGS, "-march=x86-64-v3", "-fno-thread-jumps", "-fopt-info-vec")
    command = [*compiler.command, *options, str(file), "-o", str(tmp_path / "loops.so"), "-lm"]
    report = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    vectorised = {
        int(line.split(":")[1]) for line in report.splitlines() if "loop vectorized" in line
    }
    loops = {
        number
        for number, line in enumerate(text.splitlines(), 1)
        if line.startswith("    for (int")
    }
    assert len(loops) == len(LIMITS)
    assert loops <= vectorised
