"""Factual recall at finite size: thresholds and largest margins of random pairs up to d = 32.

Whether a matrix stores a set of pairs is found by descent on a logistic loss, which stops at the
first matrix without an error; the number of nested pairs that are stored follows by bisection. The
largest margins are those of nonnegative least squares, of vectors of one length. Writes a figure
(PNG, PDF) and the numbers as tables (CSV, LaTeX).

    python examples/factual_recall_sizes.py --out out
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from factual_recall import KINDS, draw_pairs, store  # type: ignore[import-not-found]
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize
from tqdm.auto import tqdm

import replica
from replica.report.plot import PALETTE
from replica.report.table import to_latex

Array = NDArray[np.float64]
#: Dimensions, and the samples of each in units of what is asked for.
THRESHOLDS = {8: 8, 12: 6, 16: 4, 24: 2, 32: 1}
MARGINS = {8: 30, 12: 15, 16: 8, 24: 1}
#: Pairs in units of the capacity, where largest margins are compared.
LOAD = 0.7


def recalls(inputs: Array, targets: Array, others: Array, steps: int = 1000) -> bool:
    """Return whether descent finds a matrix that gives each input its own target.

    Descent may miss a matrix that there is, close to the threshold.
    """
    d = inputs.shape[1]
    differences = targets[:, None] - others
    smallest = -np.inf

    def loss(x: Array) -> tuple[float, Array]:
        nonlocal smallest
        gaps = np.matmul(differences, (inputs @ x.reshape(d, d).T)[:, :, None])[:, :, 0]
        smallest = max(smallest, gaps.min())
        weights = np.exp(np.minimum(-gaps, 100.0))
        total = 1 + weights.sum(axis=1, keepdims=True)
        pull = -np.matmul((weights / total)[:, None], differences)[:, 0]
        return float(np.log(total).sum()), (pull.T @ inputs).ravel()

    def stop(_: Array) -> None:
        if smallest > 0:
            raise StopIteration

    minimize(loss, (targets.T @ inputs).ravel() / (2 * d), jac=True, method="L-BFGS-B",
             callback=stop, options={"maxiter": steps, "maxcor": 20})  # fmt: skip
    return bool(smallest > 0)


def threshold(random: np.random.Generator, d: int, expected: float, shared: bool) -> float:
    """Return how many of nested random pairs are stored, and a half."""
    low, high = int(0.5 * expected), int(1.6 * expected)
    inputs, targets = random.standard_normal((2, high, d))
    others = random.standard_normal((1 if shared else high, high, d))
    while high - low > 1:
        p = (low + high) // 2
        if shared:
            own = np.array([np.delete(targets[:p], mu, axis=0) for mu in range(p)])
        else:
            own = others[:p, : p - 1]
        low, high = (p, high) if recalls(inputs[:p], targets[:p], own) else (low, p)
    return low + 0.5


def expected_margin(d: int, pairs: int) -> float:
    """Return the margin at which so many pairs are the capacity."""
    model = replica.load("factual-recall-competitors")
    return float(brentq(lambda k: model.solve(n=pairs - 1, kappa=k)["alpha"] * d**2 - pairs, 0, 3))


def thresholds(samples: int) -> pd.DataFrame:
    """Return measured and predicted numbers of pairs, by dimension and kind of competitors."""
    rows = []
    for d, factor in tqdm(THRESHOLDS.items(), desc="thresholds"):
        capacity = replica.load("factual-recall").solve(d=d)["p"]
        for kind, shared in KINDS.items():
            random = np.random.default_rng(d)
            found = [threshold(random, d, capacity, shared) for _ in range(factor * samples)]
            rows.append({"d": d, "competitors": kind, "theory": capacity,
                         "pairs": np.mean(found), "error": _error(found)})  # fmt: skip
    return pd.DataFrame(rows)


def margins(samples: int) -> pd.DataFrame:
    """Return measured and predicted largest margins and mean scores, by dimension."""
    rows = []
    for d, factor in tqdm(MARGINS.items(), desc="margins"):
        pairs = round(LOAD * replica.load("factual-recall").solve(d=d)["p"])
        kappa = expected_margin(d, pairs)
        alone = replica.load("factual-recall-competitors").solve(n=pairs - 1, kappa=kappa)
        random, found, scores = np.random.default_rng(d), [], []
        for _ in range(factor * samples):
            inputs, targets, others = draw_pairs(random, d, pairs, one_length=True)
            margin, matrix = store(inputs, targets, others)
            if not np.isnan(margin):
                found.append(margin)
                scores.append(np.mean(np.einsum("ij,ij->i", targets, inputs @ matrix.T) / d))
        rows.append({"d": d, "p": pairs, "theory": kappa, "margin": np.mean(found),
                     "error": _error(found), "score": np.mean(scores),
                     "score, theory": alone["centre_field"],
                     "score, error": _error(scores)})  # fmt: skip
    return pd.DataFrame(rows)


def _error(values: list[float]) -> float:
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def compute(samples: int = 8) -> dict[str, pd.DataFrame]:
    """Return both tables."""
    return {"thresholds": thresholds(samples), "margins": margins(samples)}


def draw(results: dict[str, pd.DataFrame]) -> Figure:
    """Return the figure: measured over predicted, thresholds on the left and margins beside."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(7.2, 3.0), layout="constrained")
    table = results["thresholds"]
    for colour, kind in zip(PALETTE, KINDS, strict=False):
        part = table[table["competitors"] == kind]
        measured, error = part["pairs"] / part["theory"], part["error"] / part["theory"]
        panels[0].errorbar(part["d"], measured, error, fmt="o", color=colour, markersize=3,
                           label=kind)  # fmt: skip
    table = results["margins"]
    for colour, name, theory, error in (
        (PALETTE[0], "margin", "theory", "error"),
        (PALETTE[1], "score", "score, theory", "score, error"),
    ):
        panels[1].errorbar(table["d"], table[name] / table[theory], table[error] / table[theory],
                           fmt="o", color=colour, markersize=3, label=name)  # fmt: skip
    for panel, what, place in (
        (panels[0], "pairs stored", "upper right"),
        (panels[1], f"at ${LOAD}\\,p_c$", "lower right"),
    ):
        panel.axhline(1, color="black", linewidth=0.8)
        panel.set(xscale="log", xlabel="$d$", ylabel=f"{what}, measured / theory")
        panel.set_xticks([8, 12, 16, 24, 32], [8, 12, 16, 24, 32])
        panel.minorticks_off()
        panel.set_xlim(7, 37)
        panel.legend(frameon=False, fontsize="small", loc=place)
    panels[0].set_ylim(0.98, 1.06)
    return figure


def main() -> None:
    """Compute, draw and write everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder to write to")
    parser.add_argument("--samples", type=int, default=8, help="scale of the numbers of samples")
    arguments = parser.parse_args()
    out: Path = arguments.out
    mpl.use("Agg")

    results = compute(arguments.samples)
    out.mkdir(parents=True, exist_ok=True)
    figure = draw(results)
    for suffix in ("png", "pdf"):
        figure.savefig(out / f"factual_recall_sizes.{suffix}", dpi=200)
    for name, table in results.items():
        table.to_csv(out / f"factual_recall_{name}.csv", index=False)
        to_latex(table, out / f"factual_recall_{name}.tex", digits=4)
        print(table.to_string(index=False, float_format="%.4g"))
    print(f"Figure and tables are in {out}/factual_recall_*")


if __name__ == "__main__":
    main()
