"""Learning curves of Gaussian-mixture classification, for three losses and the Bayes classifier.

Writes the test error against the load ``alpha = n/d`` as a figure (PNG, PDF) and as tables (CSV,
LaTeX): weak regularisation shows the interpolation peak of the square loss at ``alpha = 1``, strong
regularisation brings every loss close to the Bayes-optimal error.

    python examples/learning_curve.py --out out
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure
from tqdm.auto import tqdm

import replica
from replica.report.plot import curve
from replica.report.table import to_latex
from replica.scan import save, scan, status_counts

LOSSES = ("square", "hinge", "logistic")
PENALTIES = (1e-3, 1.0)
ALPHA = np.unique(np.concatenate([np.geomspace(0.1, 10, 401), [0.5, 1.0, 2.0, 5.0]]))
SHOWN = [0.1, 0.5, 1.0, 2.0, 5.0, 10.0]
SETTING = {"rho": 0.5, "Delta": 1.0}


def compute() -> dict[str, xr.Dataset]:
    """Return the scans by name: one a loss, over both parameters, and the Bayes-optimal one."""
    results: dict[str, xr.Dataset] = {}
    for name in tqdm((*LOSSES, "bayes"), desc="learning curves", unit="model"):
        model = replica.load(f"gaussian-mixture-{name}")
        penalties = {} if name == "bayes" else {"lam": np.array(PENALTIES)}
        results[name] = scan(model, {**penalties, "alpha": ALPHA}, SETTING, progress=False)
    return results


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Return the figure: a panel a penalty, a curve a loss."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(
        1, len(PENALTIES), figsize=(7.2, 3.2), sharey=True, layout="constrained"
    )
    for panel, penalty in zip(panels, PENALTIES, strict=True):
        for loss in LOSSES:
            curve(results[loss].sel(lam=penalty), "alpha", "test_error", panel, label=loss)
        curve(
            results["bayes"], "alpha", "test_error", panel,
            label="Bayes-optimal", color="black", linestyle="--",
        )  # fmt: skip
        panel.set_xscale("log")
        panel.set_title(rf"$\lambda = {penalty:g}$", fontsize="medium")
        panel.grid(alpha=0.3)
    panels[-1].set_ylabel("")
    panels[0].legend(frameon=False, fontsize="small")
    return figure


def table(results: dict[str, xr.Dataset]) -> pd.DataFrame:
    """Return the test errors at a few loads, a column a curve."""
    columns = {"alpha": np.array(SHOWN)}
    for penalty in PENALTIES:
        for loss in LOSSES:
            picked = results[loss]["test_error"].sel(lam=penalty).sel(alpha=SHOWN, method="nearest")
            columns[f"{loss}, lambda = {penalty:g}"] = picked.values
    bayes = results["bayes"]["test_error"].sel(alpha=SHOWN, method="nearest")
    return pd.DataFrame({**columns, "Bayes-optimal": bayes.values})


def main() -> None:
    """Compute, draw and write everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder to write to")
    out = parser.parse_args().out
    mpl.use("Agg")

    results = compute()
    for name, ds in results.items():
        save(ds, out / f"learning_curve_{name}.nc")
        counts = ", ".join(f"{count} {status}" for status, count in status_counts(ds).items())
        print(f"{name}: {counts}")

    figure = draw(results)
    for suffix in ("png", "pdf"):
        figure.savefig(out / f"learning_curve.{suffix}", dpi=200)
    numbers = table(results)
    numbers.to_csv(out / "learning_curve.csv", index=False)
    to_latex(numbers, out / "learning_curve.tex", digits=5)
    print(f"Figure and tables are in {out}/learning_curve.*")


if __name__ == "__main__":
    main()
