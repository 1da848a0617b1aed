"""Factual recall: random pairs stored by the best matrix, against the theory of its capacity.

Draws random pairs of vectors, finds the matrix of largest margin by nonnegative least squares, and
compares the fraction of samples that can be stored, the scores of the pairs and the singular values
with the prediction. Writes a figure (PNG, PDF) and the fractions as a table (CSV, LaTeX).

    python examples/factual_recall.py --out out
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import norm
from tqdm.auto import tqdm

import replica
from replica.evaluate.projections import project
from replica.evaluate.separability import largest_margin
from replica.report.plot import PALETTE
from replica.report.table import to_latex

Array = NDArray[np.float64]
KINDS = {"own competitors": False, "shared competitors": True}
DIMENSIONS = (6, 8, 10)
#: Dimension and number of pairs of which scores and singular values are shown.
SHOWN = (16, 58)
#: Competitors of a pair that become constraints at a time, the most dangerous first.
_AT_A_TIME = 3


def draw_pairs(
    random: np.random.Generator, d: int, pairs: int, shared: bool = False, one_length: bool = False
) -> tuple[Array, Array, Array]:
    """Return Gaussian inputs, targets and competitors, where asked for all of one length."""
    inputs, targets = random.standard_normal((2, pairs, d))
    if shared:
        others = np.array([np.delete(targets, mu, axis=0) for mu in range(pairs)])
    else:
        others = random.standard_normal((pairs, pairs - 1, d))
    if one_length:
        inputs, targets, others = (
            v * np.sqrt(d) / np.linalg.norm(v, axis=-1, keepdims=True)
            for v in (inputs, targets, others)
        )
    return inputs, targets, others


def store(inputs: Array, targets: Array, others: Array) -> tuple[float, Array]:
    """Return the largest margin of the pairs, and the matrix that has it (norm: its size)."""
    d = inputs.shape[1]
    differences = targets[:, None] - others
    chosen = np.zeros(differences.shape[:2], dtype=bool)
    margin, matrix = np.inf, targets.T @ inputs
    while True:
        gaps = np.einsum("ijk,ik->ij", differences, inputs @ matrix.T) / d
        nearest = np.argsort(gaps, axis=1)[:, :_AT_A_TIME]
        added = np.zeros_like(chosen)
        np.put_along_axis(added, nearest, True, axis=1)
        added &= gaps < margin - 1e-10
        if np.isnan(margin) or not (added & ~chosen).any():
            return margin, matrix
        chosen |= added
        pair, other = np.nonzero(chosen)
        rows = differences[pair, other][:, :, None] * inputs[pair][:, None, :]
        margin, normal = largest_margin(rows.reshape(len(rows), -1), np.ones(len(rows)))
        matrix = d * normal.reshape(d, d)


def fractions(samples: int) -> pd.DataFrame:
    """Return the fraction of samples that can be stored, by size, kind and number of pairs."""
    rows = []
    for d in tqdm(DIMENSIONS, desc="dimensions"):
        capacity = replica.load("factual-recall").solve(d=d)["p"]
        numbers = np.unique(np.round(capacity * np.linspace(0.6, 1.4, 9)).astype(int))
        for kind, shared in KINDS.items():
            random = np.random.default_rng(d)
            for pairs in numbers:
                stored = [
                    store(*draw_pairs(random, d, int(pairs), shared))[0] > 0 for _ in range(samples)
                ]
                rows.append({"d": d, "competitors": kind, "p": int(pairs),
                             "p/p_c": pairs / capacity, "stored": np.mean(stored)})  # fmt: skip
    return pd.DataFrame(rows)


def scores(samples: int) -> dict[str, Array]:
    """Return correct scores and singular values of the best matrix, and scores of Hebb's rule."""
    d, pairs = SHOWN
    random = np.random.default_rng(0)
    found: dict[str, list[Array]] = {"best": [], "Hebb": [], "singular values": []}
    for _ in tqdm(range(samples), desc="scores"):
        inputs, targets, others = draw_pairs(random, d, pairs, one_length=True)
        margin, matrix = store(inputs, targets, others)
        if np.isnan(margin):
            continue
        found["best"].append(np.einsum("ij,ij->i", targets, inputs @ matrix.T) / d)
        found["singular values"].append(np.linalg.svd(matrix, compute_uv=False) / np.sqrt(d))
        hebb = targets.T @ inputs
        hebb *= d / np.linalg.norm(hebb)
        found["Hebb"].append(np.einsum("ij,ij->i", targets, inputs @ hebb.T) / d)
    return {name: np.concatenate(values) for name, values in found.items()}


def compute(samples: int = 40) -> dict[str, Any]:
    """Return what is drawn: fractions, and scores."""
    return {"fractions": fractions(samples), "scores": scores(max(samples // 2, 4))}


def draw(results: dict[str, Any]) -> Figure:
    """Return the figure: what can be stored, correct scores, singular values."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 3, figsize=(9.6, 3.1), layout="constrained")
    table = results["fractions"]
    for colour, d in zip(PALETTE, DIMENSIONS, strict=False):
        for (kind, shared), style in zip(KINDS.items(), ("o-", "s--"), strict=True):
            part = table[(table["d"] == d) & (table["competitors"] == kind)]
            label = f"$d={d}$" if not shared else None
            panels[0].plot(part["p/p_c"], part["stored"], style, color=colour, markersize=3,
                           linewidth=0.9, label=label)  # fmt: skip
    panels[0].axvline(1, color="black", linewidth=0.8)
    panels[0].set_xlabel("$p/p_c(d)$")
    panels[0].set_ylabel("fraction stored")
    panels[0].legend(frameon=False, fontsize="small")
    _draw_scores(panels[1], results["scores"])
    bins = np.linspace(0, 2.4, 25)
    values = results["scores"]["singular values"]
    panels[2].hist(values, bins, density=True, color=PALETTE[0], alpha=0.5, label="best matrix")
    panels[2].hist(_typical_values(), bins, density=True, color=PALETTE[0], histtype="step",
                   label="random terms")  # fmt: skip
    x = np.linspace(0, 2, 201)
    panels[2].plot(x, np.sqrt(4 - x**2) / np.pi, color="black", label="quarter circle")
    panels[2].set_xlabel("singular value")
    panels[2].legend(frameon=False, fontsize="small")
    return figure


def _nearest_points(count: int) -> tuple[Array, Array]:
    """Return scores and squared distances at capacity, for random fields of one pair each."""
    pairs = SHOWN[1]
    vectors = np.random.default_rng(1).standard_normal((count, pairs))
    found = project(replica.Simplex(1, pairs - 1).at({}), vectors, 0.0)
    return vectors[:, 0] + found.multiplier, found.distance


def _typical_values(size: int = 400) -> Array:
    """Return singular values of a large sum of independent terms with the weights of theory."""
    d, pairs = SHOWN
    terms = round(size * pairs / d)
    random = np.random.default_rng(2)
    left, right = random.standard_normal((size, terms)), random.standard_normal((terms, size))
    matrix = (left * np.sqrt(_nearest_points(terms)[1])) @ right
    values = np.linalg.svd(matrix, compute_uv=False)
    scaled: Array = values / np.sqrt(np.mean(values**2))
    return scaled


def _draw_scores(panel: Any, found: dict[str, Array]) -> None:
    d, pairs = SHOWN
    bins = np.linspace(-1.5, 5.5, 43)
    theory, _ = _nearest_points(200_000)
    panel.hist(found["best"], bins, density=True, color=PALETTE[0], alpha=0.5, label="best matrix")
    panel.hist(theory, bins, density=True, color=PALETTE[0], histtype="step", label="theory")
    panel.hist(found["Hebb"], bins, density=True, color=PALETTE[1], alpha=0.4, label="Hebb")
    x = np.linspace(bins[0], bins[-1], 201)
    panel.plot(x, norm.pdf(x - d / np.sqrt(pairs)), color=PALETTE[1])
    panel.set_xlabel("score of the own target")
    panel.legend(frameon=False, fontsize="small")


def main() -> None:
    """Compute, draw and write everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder to write to")
    parser.add_argument("--samples", type=int, default=40, help="random problems a point")
    arguments = parser.parse_args()
    out: Path = arguments.out
    mpl.use("Agg")

    results = compute(arguments.samples)
    out.mkdir(parents=True, exist_ok=True)
    figure = draw(results)
    for suffix in ("png", "pdf"):
        figure.savefig(out / f"factual_recall.{suffix}", dpi=200)
    results["fractions"].to_csv(out / "factual_recall.csv", index=False)
    to_latex(results["fractions"], out / "factual_recall.tex", digits=3)
    best, hebb = (results["scores"][name] for name in ("best", "Hebb"))
    print(f"scores of own targets: best {best.mean():.2f} +- {best.std():.2f}, "
          f"Hebb {hebb.mean():.2f} +- {hebb.std():.2f}")  # fmt: skip
    print(f"Figure and tables are in {out}/factual_recall.*")


if __name__ == "__main__":
    main()
