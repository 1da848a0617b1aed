"""Ridge regression on handwritten digits: the theory of Gaussian covariates against measurement.

The labels of `load_digits`, +1 for odd and -1 for even, are fitted on raw pixels and on random
features. The data set is the population: training samples are drawn from it, with replacement, and
the test error is that on all of it. The theory knows the population by its second moments only: the
covariance of the features, and that of features and labels, whose least-squares fit is the teacher
(arXiv:2102.08127, section 3). To it the residuals of the fit are noise that knows nothing of the
features. As a control the residuals of each training set are drawn from all samples, which makes
that true and leaves everything else as it is. Needs scikit-learn.

    python examples/digits_features.py --out out
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from replica.models.gaussian_covariate import gaussian_covariate
from tqdm.auto import tqdm

from replica import covariates_of_data
from replica.report.plot import PALETTE

Array = NDArray[np.float64]
PENALTIES = (0.01, 1.0)
SIZES = (30, 45, 64, 90, 125, 175, 250, 350, 500, 700)
CURVE = sorted({*SIZES, *np.geomspace(SIZES[0], SIZES[-1], 60).astype(int).tolist()})
RUNS = 40
FEATURES = 150


def digits() -> tuple[Array, Array]:
    """Return centred pixels of mean variance one, and centred labels (odd, even)."""
    from sklearn.datasets import load_digits

    pixels, digit = load_digits(return_X_y=True)
    pixels = pixels - pixels.mean(axis=0)
    labels = 2.0 * (digit % 2) - 1
    return pixels / np.sqrt(np.mean(pixels**2)), labels - labels.mean()


def random_features(pixels: Array, count: int, seed: int = 0) -> Array:
    """Return centred features ``tanh(F x/sqrt(p))`` of Gaussian weights."""
    weights = np.random.default_rng(seed).normal(size=(pixels.shape[1], count))
    features = np.tanh(pixels @ weights / np.sqrt(pixels.shape[1]))
    return features - features.mean(axis=0)


def train(x: Array, y: Array, lam: float) -> Array:
    """Return the weights of ridge regression."""
    hessian = x.T @ x + lam * np.eye(x.shape[1])
    return np.asarray(np.linalg.solve(hessian, x.T @ y), dtype=float)


def measure(
    x: Array, y: Array, fit: Array, count: int, lam: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the error on all data after training on ``count`` samples, and that of the control."""
    scaled = x / np.sqrt(x.shape[1])
    chosen, others = rng.integers(len(y), size=(2, count))
    weights = train(scaled[chosen], y[chosen], lam)
    control = train(scaled[chosen], fit[chosen] + (y - fit)[others], lam)
    rest = float(np.mean((y - fit) ** 2))
    error = float(np.mean((y - scaled @ weights) ** 2))
    return error, rest + float(np.mean((fit - scaled @ control) ** 2))


def compute(runs: int = RUNS) -> pd.DataFrame:
    """Return theory and measurement, with standard errors, for features, penalties and sizes.

    Between the measured sizes there is theory only.
    """
    pixels, labels = digits()
    inputs = {"pixels": pixels, f"{FEATURES} random features": random_features(pixels, FEATURES)}
    rows = []
    bar = tqdm(total=len(inputs) * len(PENALTIES) * len(SIZES), desc="digits", unit="point")
    for name, x in inputs.items():
        model = gaussian_covariate("square", covariates_of_data(x, labels))
        fit = x @ np.linalg.lstsq(x, labels, rcond=None)[0]
        for lam in PENALTIES:
            rng = np.random.default_rng(1)
            for count in CURVE:
                theory = model.solve(alpha=count / x.shape[1], lam=lam, Delta=0.0)["mse"]
                if count not in SIZES:
                    rows.append((name, lam, count, theory, *[np.nan] * 4))
                    continue
                errors = np.array([measure(x, labels, fit, count, lam, rng) for _ in range(runs)])
                spread = np.std(errors, axis=0, ddof=1) / np.sqrt(runs)
                both = zip(np.mean(errors, axis=0), spread, strict=True)
                rows.append((name, lam, count, theory, *(float(v) for pair in both for v in pair)))
                bar.update()
    bar.close()
    columns = ["features", "lambda", "samples", "theory", "measured", "standard error"]
    columns += ["control", "control error"]
    return pd.DataFrame(rows, columns=columns)


def draw(results: pd.DataFrame) -> Figure:
    """Return the figure: a panel for each choice of features."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import NullFormatter, ScalarFormatter

    names = list(dict.fromkeys(results["features"]))
    figure, panels = plt.subplots(
        1, len(names), figsize=(3.6 * len(names), 3.2), sharey=True, layout="constrained"
    )
    for panel, name in zip(panels, names, strict=True):
        for color, lam in zip(PALETTE, PENALTIES, strict=False):
            rows = results[(results["features"] == name) & (results["lambda"] == lam)]
            panel.plot(rows["samples"], rows["theory"], color=color, label=rf"$\lambda = {lam:g}$")
            rows = rows.dropna()
            panel.errorbar(
                rows["samples"], rows["measured"], 2 * rows["standard error"],
                fmt="o", markersize=3.5, color=color,
            )  # fmt: skip
            panel.plot(rows["samples"], rows["control"], "o", mfc="white", ms=5, color=color)
        panel.set(xscale="log", yscale="log", xlabel="training samples", title=name)
        panel.set_xticks([30, 100, 300, 700])
        panel.set_yticks([0.3, 0.5, 1.0])
        for axis in (panel.xaxis, panel.yaxis):
            axis.set_major_formatter(ScalarFormatter())
            axis.set_minor_formatter(NullFormatter())
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("test error (squared)")
    panels[0].legend(frameon=False, fontsize="small", title="line: theory")
    return figure


def main() -> None:
    """Compute, draw and write everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder to write to")
    parser.add_argument("--runs", type=int, default=RUNS, help="training sets a point")
    arguments = parser.parse_args()
    mpl.use("Agg")
    arguments.out.mkdir(parents=True, exist_ok=True)
    results = compute(arguments.runs)
    results.to_csv(arguments.out / "digits_features.csv", index=False)
    for suffix in ("png", "pdf"):
        draw(results).savefig(arguments.out / f"digits_features.{suffix}", dpi=200)
    print(results.dropna().to_string(index=False, float_format=lambda x: f"{x:.4g}"))


if __name__ == "__main__":
    main()
