"""The examples run, and show what they say."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_digits_features(tmp_path):
    script = str(EXAMPLES / "digits_features.py")
    command = [sys.executable, script, "--out", str(tmp_path), "--runs", "12"]
    subprocess.run(command, check=True)
    for suffix in ("png", "pdf", "csv"):
        assert (tmp_path / f"digits_features.{suffix}").stat().st_size > 500
    table = pd.read_csv(tmp_path / "digits_features.csv").dropna()
    gap = (table["measured"] - table["theory"]).abs()
    # Data are not Gaussian: beside the noise of the runs, a tenth of the error.
    assert (gap < 4 * table["standard error"] + 0.1 * table["theory"]).all()
    strong = table[table["lambda"] == 1.0]
    assert (gap[strong.index] < 0.03 * strong["theory"]).mean() > 0.7
    # Residuals that know nothing of the features: what is left is noise.
    control = (table["control"] - table["theory"]).abs()
    assert (control < 4 * table["control error"] + 0.03 * table["theory"]).all()


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


@pytest.mark.slow
def test_factual_recall(tmp_path):
    script = str(EXAMPLES / "factual_recall.py")
    command = [sys.executable, script, "--out", str(tmp_path), "--samples", "8"]
    subprocess.run(command, check=True)
    for suffix in ("png", "pdf", "csv", "tex"):
        assert (tmp_path / f"factual_recall.{suffix}").stat().st_size > 200
    table = pd.read_csv(tmp_path / "factual_recall.csv")
    # Well below the capacity all pairs are stored, and none well above.
    assert (table.stored[table["p/p_c"] < 0.7] >= 0.75).all()
    assert (table.stored[table["p/p_c"] > 1.3] <= 0.25).all()


@pytest.mark.slow
def test_factual_recall_sizes(tmp_path):
    script = str(EXAMPLES / "factual_recall_sizes.py")
    command = [sys.executable, script, "--out", str(tmp_path), "--samples", "3"]
    subprocess.run(command, check=True)
    for suffix in ("png", "pdf"):
        assert (tmp_path / f"factual_recall_sizes.{suffix}").stat().st_size > 200
    table = pd.read_csv(tmp_path / "factual_recall_thresholds.csv")
    gap = table["pairs"] / table["theory"] - 1
    error = table["error"] / table["theory"]
    own = table["competitors"] == "own competitors"
    assert (gap[own].abs() < 4 * error[own] + 0.01).all()
    assert (gap[~own] < 4 * error[~own] + 0.06).all()
    assert gap[~own].mean() > gap[own].mean()
    table = pd.read_csv(tmp_path / "factual_recall_margins.csv")
    ratio = table["margin"] / table["theory"]
    assert (ratio < 1 + 3 * table["error"]).all()
    assert ratio[0] < 0.85 < ratio[2]
