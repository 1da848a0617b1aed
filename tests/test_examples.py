"""The examples run, and show what they say."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_learning_curve(tmp_path):
    script = str(EXAMPLES / "learning_curve.py")
    subprocess.run([sys.executable, script, "--out", str(tmp_path)], check=True)
    for suffix in ("png", "pdf", "csv", "tex"):
        assert (tmp_path / f"learning_curve.{suffix}").stat().st_size > 500
    table = pd.read_csv(tmp_path / "learning_curve.csv", index_col="alpha")
    assert table["square, lambda = 0.001"].idxmax() == 1.0
    bayes = table.pop("Bayes-optimal")
    assert (table.sub(bayes, axis=0) > 0).all(axis=None)
    # At balanced clusters the optimal overlap is known: Q(sqrt(alpha / (Delta (alpha + Delta)))).
    assert bayes[1.0] == pytest.approx(0.2397500610934767, abs=1e-10)


@pytest.mark.slow
def test_digits_manifolds(tmp_path):
    script = str(EXAMPLES / "digits_manifolds.py")
    command = [sys.executable, script, "--out", str(tmp_path), "--samples", "128"]
    subprocess.run(command, check=True)
    for suffix in ("png", "pdf", "csv", "tex"):
        assert (tmp_path / f"digits_manifolds.{suffix}").stat().st_size > 200
    table = pd.read_csv(tmp_path / "digits_manifolds.csv", index_col="features")
    # Training makes classes more separable, by less extent in fewer dimensions.
    assert table.capacity["trained layer"] > 1.3 * table.capacity["pixels"]
    assert table.dimension["trained layer"] < table.dimension["pixels"]
    assert table.dimension["random features"] > table.dimension["pixels"]
    assert (table["capacity error"] < 0.01 * table.capacity).all()
