"""Capacity, radius and dimension of the classes of digits, as pixels and after two feature maps.

The manifolds are the pictures of each class of the digits that ship with scikit-learn (which must
be installed): raw pixels, random rectified features, and the hidden layer of a network trained on
the labels. Writes capacity, radius and dimension with standard errors as a figure (PNG, PDF) and as
tables (CSV, LaTeX).

    python examples/digits_manifolds.py --out out
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

import replica
from replica.report.plot import PALETTE
from replica.report.table import format_value, to_latex

Array = NDArray[np.float64]
QUANTITIES = ("capacity", "radius", "dimension")
FEATURES = 500


def feature_maps(seed: int = 0) -> tuple[dict[str, Array], NDArray[np.int_]]:
    """Return the pictures under each feature map, and their labels."""
    from sklearn.datasets import load_digits
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    pixels, labels = load_digits(return_X_y=True)
    pixels = pixels / 16
    random = np.random.default_rng(seed)
    weights = random.standard_normal((pixels.shape[1], FEATURES)) / np.sqrt(pixels.shape[1])
    network = MLPClassifier((100,), max_iter=60, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # far enough for features
        network.fit(pixels, labels)
    hidden = np.maximum(pixels @ network.coefs_[0] + network.intercepts_[0], 0)
    centred = pixels - pixels.mean(axis=0)
    return {
        "pixels": pixels,
        "random features": np.maximum(centred @ weights, 0),
        "trained layer": hidden,
    }, labels


def compute(samples: int = 1024) -> dict[str, Any]:
    """Return the measurement of each feature map by name."""
    maps, labels = feature_maps()
    settings = replica.CapacitySettings(samples=samples)
    measured: dict[str, Any] = {}
    for name, features in maps.items():
        classes = {str(c): features[labels == c] for c in range(10)}
        measured[name] = replica.measure_manifolds(classes, settings=settings, progress=True)
    return measured


def draw(measured: dict[str, Any]) -> Figure:
    """Return the figure: a panel a quantity, a row a class, a colour a feature map."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
    for panel, quantity in zip(panels, QUANTITIES, strict=True):
        for index, (name, result) in enumerate(measured.items()):
            frame = result.to_frame()
            place = np.arange(len(frame)) + 0.25 * (index - 1)
            colour = PALETTE[index]
            panel.errorbar(
                place, frame[quantity], 2 * frame[f"{quantity}_uncertainty"],
                fmt="o", markersize=3, color=colour, label=name,
            )  # fmt: skip
            panel.axhline(result[quantity], color=colour, linewidth=0.8, linestyle="--")
        panel.set_xticks(np.arange(10))
        panel.set_xlabel("class")
        panel.set_title(quantity, fontsize="medium")
        panel.set_ylim(bottom=0)
    panels[0].legend(frameon=False, fontsize="small")
    return figure


def table(measured: dict[str, Any]) -> pd.DataFrame:
    """Return the means over classes, a row a feature map."""
    rows = []
    for name, result in measured.items():
        row: dict[str, Any] = {"features": name}
        for quantity in QUANTITIES:
            row[quantity] = result[quantity]
            row[f"{quantity} error"] = result.error[quantity]
        row["correlation of centres"] = result.prepared.correlation_before
        rows.append(row)
    return pd.DataFrame(rows)


def main() -> None:
    """Compute, draw and write everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder to write to")
    parser.add_argument("--samples", type=int, default=1024, help="programs for each class")
    arguments = parser.parse_args()
    out: Path = arguments.out
    mpl.use("Agg")

    measured = compute(arguments.samples)
    numbers = table(measured)
    for row in numbers.to_dict("records"):
        parts = [
            f"{q} {format_value(row[q], row[f'{q} error'])} +- {row[f'{q} error']:.1g}"
            for q in QUANTITIES
        ]
        print(f"{row['features']:<16} {', '.join(parts)}")
    out.mkdir(parents=True, exist_ok=True)
    figure = draw(measured)
    for suffix in ("png", "pdf"):
        figure.savefig(out / f"digits_manifolds.{suffix}", dpi=200)
    numbers.to_csv(out / "digits_manifolds.csv", index=False)
    to_latex(numbers, out / "digits_manifolds.tex", digits=4)
    print(f"Figure and tables are in {out}/digits_manifolds.*")


if __name__ == "__main__":
    main()
