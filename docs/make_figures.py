"""Draw the figures of the documents into ``docs/figures``, each from the models as they are.

``python docs/make_figures.py`` draws all, and ``python docs/make_figures.py hopfield`` some.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import matplotlib as mpl
import numpy as np

mpl.use("Agg")

import matplotlib.pyplot as plt
import pages
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import norm

import replica
from replica.kernels import KernelPredictor
from replica.report.heat_map import heat_map
from replica.report.plot import PALETTE, curve
from replica.scan import converged, scan
from replica.simulate import (
    PottsModel,
    directed_samples,
    sample_action,
    star_samples,
    train_attention,
    train_row,
    zero_sum,
)

ROOT = Path(__file__).resolve().parent.parent
NEAR = {"q": 1.0, "V": 1e-8}
"""A start next to the signal, where the declared informed one is too far from it."""
FAR = {"q": 1e-6, "V": 1.0}
"""A start next to zero overlap, where the declared uninformed one is too far from it."""
FIGURES: dict[str, Callable[[], Figure]] = {}


def figure(draw: Callable[[], Figure]) -> Callable[[], Figure]:
    """Register a function that draws the figure of its name."""
    FIGURES[draw.__name__] = draw
    return draw


@figure
def learning_curve() -> Figure:
    """The figure of the demo."""
    sys.path.insert(0, str(ROOT / "examples"))
    import learning_curve as example

    return example.draw(example.compute())


def _panels(count: int, **options: Any) -> tuple[Figure, Any]:
    return plt.subplots(1, count, figsize=(3.6 * count, 3.0), layout="constrained", **options)


@figure
def rounded_hinge() -> Figure:
    """The curves of the tutorial, from the declaration that stands there."""
    blocks = pages.blocks((ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8"))
    namespace: dict[str, Any] = {}
    exec(next(block.body for block in blocks if block.kind == "python"), namespace)
    drawn, ax = plt.subplots(figsize=(5, 3.2), layout="constrained")
    axes: dict[str, Any] = {"alpha": np.geomspace(0.2, 20, 80), "lam": [1e-3, 0.1, 1.0]}
    curve(scan(namespace["model"], axes, progress=False), "alpha", "test_error", ax, hue="lam")
    ax.set_xscale("log")
    return drawn


@figure
def landscape() -> Figure:
    """Landscape and flow of the binary perceptron, by the code of the page about figures."""
    text = (ROOT / "docs" / "howto" / "figures.md").read_text(encoding="utf-8")
    namespace: dict[str, Any] = {"replica": replica}
    exec(next(b.body for b in pages.blocks(text) if "landscape(" in b.body), namespace)
    return namespace["figure"]


@figure
def gaussian_mixture() -> Figure:
    """Test error against the penalty, balanced and unbalanced clusters."""
    drawn, panels = _panels(2)
    lam = np.geomspace(1e-3, 1e2, 151)
    for ax, rho in zip(panels, (0.5, 0.2), strict=True):
        for loss in ("square", "hinge", "logistic"):
            name = f"gaussian-mixture-{loss}" + ("-no-bias" if rho == 0.5 else "")
            # From strong to weak regularisation, where the problem becomes stiff.
            ds = scan(replica.load(name), {"lam": lam[::-1]}, {"rho": rho}, progress=False)
            curve(ds, "lam", "test_error", ax, label=loss)
        bayes = replica.load("gaussian-mixture-bayes").solve(rho=rho)["test_error"]
        ax.axhline(bayes, color="black", linestyle="--", label="Bayes-optimal")
        ax.set_xscale("log")
        ax.set_title(rf"$\rho = {rho}$, $\alpha = 2$, $\Delta = 1$", fontsize="medium")
    panels[0].legend(frameon=False, fontsize="small")
    panels[1].set_ylabel("")
    return drawn


@figure
def sherrington_kirkpatrick() -> Figure:
    """Overlap and entropy against temperature; dotted where replica symmetry is unstable."""
    drawn, panels = _panels(2)
    model = replica.load("sherrington-kirkpatrick")
    T = np.linspace(0.02, 1.6, 159)
    # From below: from above the scan would follow the solution q = 0 into its unstable side.
    ds = scan(model, {"h": [0.0, 0.2, 0.5, 1.0], "T": T}, progress=False)
    for ax, quantity in zip(panels, ("q", "entropy"), strict=True):
        _stable_curves(ax, ds, "T", quantity, "h")
    panels[0].legend(frameon=False, fontsize="small")
    panels[1].axhline(0, color="grey", linewidth=0.5)
    return drawn


@figure
def p_spin() -> Figure:
    """Overlap of three-spin glasses in a field; dotted where replica symmetry is unstable."""
    drawn, panels = _panels(2, sharey=True)
    T = np.linspace(0.1, 1.5, 141)
    for ax, kind in zip(panels, ("ising", "spherical"), strict=True):
        model = replica.load(f"p-spin-{kind}")
        ds = scan(model, {"h": [0.1, 0.3, 0.5, 1.0], "T": T[::-1]}, progress=False)
        _stable_curves(ax, ds, "T", "q", "h")
        ax.set_title(f"{kind}, $p = 3$", fontsize="medium")
    panels[0].legend(frameon=False, fontsize="small")
    panels[1].set_ylabel("")
    return drawn


@figure
def hopfield() -> Figure:
    """Retrieval overlap against the load, and against the temperature."""
    drawn, panels = _panels(2, sharey=True)
    alpha = np.linspace(0.002, 0.16, 159)
    cold = scan(
        replica.load("hopfield-zero-temperature"), {"alpha": alpha}, start="informed",
        warm_start=False, progress=False,
    )  # fmt: skip
    curve(cold, "alpha", "m", panels[0], label="$T = 0$")
    warm: dict[str, Any] = {"T": [0.2, 0.4, 0.6], "alpha": alpha}
    ds = scan(replica.load("hopfield"), warm, start="informed", warm_start=False, progress=False)
    for T in warm["T"]:
        curve(ds.sel(T=T), "alpha", "m", panels[0], label=f"$T = {T}$")
    axes: dict[str, Any] = {"alpha": [0.01, 0.05, 0.1], "T": np.linspace(0.02, 1.04, 103)}
    ds = scan(replica.load("hopfield"), axes, start="informed", warm_start=False, progress=False)
    curve(ds, "T", "m", panels[1], hue="alpha")
    panels[0].legend(frameon=False, fontsize="small")
    panels[1].set_ylabel("")
    return drawn


@figure
def dense_memory() -> Figure:
    """Retrieval overlap up to the end of retrieval, and that end against the temperature."""
    drawn, panels = _panels(2)
    cold, warm = replica.load("dense-memory-zero-temperature"), replica.load("dense-memory")
    for p, colour in zip((3, 4, 5, 6), PALETTE, strict=False):
        near = {"p": p, "alpha": 0.1 / math.factorial(p - 1)}
        end = cold.boundary("spinodal", "alpha", **near)["alpha"]
        axes: dict[str, Any] = {"alpha": end * np.linspace(0.02, 0.999999, 150)}
        ds = _from(cold, {"m": 1.0, "chi": 0.01}, axes, {"p": p})
        panels[0].plot(ds.alpha / end, ds.m, color=colour, label=f"$p = {p}$")
        coldest = 1 / (10 * math.factorial(p - 1))
        line = warm.boundary(
            "spinodal", "alpha", along="T", over=(coldest / 4, 7 * coldest), T=coldest, **near
        )
        panels[1].plot(line["T"] * math.factorial(p - 1), line["alpha"] / end, color=colour)
    panels[0].set(xlabel=r"$\alpha/\alpha_c$", ylabel="$m$")
    panels[0].legend(frameon=False, fontsize="small")
    panels[1].set(xlabel=r"$(p-1)!\,T$", ylabel=r"$\alpha_M(T)/\alpha_c$", ylim=(0, None))
    return drawn


@figure
def exponential_memory() -> Figure:
    """Load at which patterns are lost, and the Parisi parameter of the noise."""
    drawn, panels = _panels(2)
    kinds, sharp = ("gaussian", "spherical", "binary"), np.linspace(0.1, 4, 79)
    for kind, colour in zip(kinds, PALETTE, strict=False):
        model = replica.load(f"exponential-memory-{kind}")
        options: dict[str, Any] = {"along": "lam", "lam": 0.5, "bracket": (0.3, 0.5)}
        # Gaussian noise condenses along the line at lambda = 1, where its equations have a kink.
        parts = ((0.1, 0.99), (1.01, 4)) if kind == "gaussian" else ((0.1, 4),)
        for lowest, highest in parts:
            over = sharp[(sharp >= lowest) & (sharp <= highest)]
            if lowest > 1:
                options |= {"lam": 1.5}
            line = model.boundary("margin=0", "alpha", over=over, **options)
            panels[0].plot(
                line["lam"], line["alpha"], color=colour, label=kind if lowest < 1 else None
            )
        ds = scan(model, {"alpha": np.linspace(0.01, 0.69, 69)}, {"lam": 1.0}, progress=False)
        panels[1].plot(ds.alpha, ds.x, color=colour)
    model = replica.load("exponential-memory-gaussian-shortest")
    every = [
        model.boundary("margin=0", "r", lam=lam, bracket=(0.05, 0.98))["load"] for lam in sharp
    ]
    panels[0].plot(sharp, every, "--", color=PALETTE[0], label="gaussian, all patterns")
    panels[0].set(xlabel=r"$\lambda$", ylabel=r"$\alpha$", ylim=(0, 1.7))
    panels[0].legend(frameon=False, fontsize="small")
    panels[1].set(xlabel=r"$\alpha$", ylabel="Parisi parameter $x$", title=r"$\lambda = 1$")
    return drawn


@figure
def hopfield_sparse() -> Figure:
    """Retrieval of sparse patterns against the load, and where it ends against the threshold."""
    drawn, panels = _panels(2)
    model = replica.load("hopfield-sparse")
    frozen = replica.load("hopfield-sparse-zero-temperature")
    for f, colour in zip((0.2, 0.1, 0.05), PALETTE, strict=False):
        alpha = np.linspace(0.01, 0.9, 179)
        fixed = {"f": f, "T": 0.02}
        ds = scan(model, {"alpha": alpha}, fixed, start="informed", progress=False)
        curve(ds, "alpha", "retrieval", panels[0], color=colour, label=f"$f = {f}$")
        line = model.boundary(
            "spinodal", "alpha", along="theta", over=(0.2, 0.8), f=f, T=0.02, alpha=0.02
        )
        panels[1].plot(line["theta"], line["alpha"], color=colour)
        ds = scan(frozen, {"alpha": alpha}, {"f": f}, start="informed", progress=False)
        curve(ds, "alpha", "retrieval", panels[0], color=colour, linestyle=":")
    panels[0].set_title(r"$\theta = 0.5$, $T = 0.02$ and 0 (dotted)", fontsize="medium")
    panels[0].legend(frameon=False, fontsize="small")
    panels[1].set(xlabel=r"$\theta$", ylabel=r"end of retrieval, $\alpha$", ylim=(0, None))
    return drawn


@figure
def hopfield_phases() -> Figure:
    """The four lines of the how-to page on transitions, and where they end at low temperature."""
    page = (ROOT / "docs" / "howto" / "transitions.md").read_text(encoding="utf-8")
    code = next(b.body for b in pages.blocks(page) if b.kind == "python" and "lines = {" in b.body)
    namespace: dict[str, Any] = {"replica": replica}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(code, namespace)
    drawn, panels = _panels(2)
    styles = dict(zip(namespace["lines"], ("-", "-", "-", "--"), strict=True))
    for ax in panels:
        for colour, (name, line) in zip(PALETTE, namespace["lines"].items(), strict=False):
            ax.plot(line["alpha"], line["T"], styles[name], color=colour, label=f"${name}$")
        ax.set_xlabel(r"$\alpha$")
    panels[0].set(xlim=(0, 0.16), ylim=(0, 1.4), ylabel="$T$")
    panels[1].set(xlim=(0.094, 0.1395), ylim=(0, 0.06))
    panels[0].legend(frameon=False, loc="upper right", bbox_to_anchor=(1, 0.8))
    return drawn


@figure
def phase_diagram() -> Figure:
    """The diagram of the how-to page on phase diagrams."""
    page = (ROOT / "docs" / "howto" / "phase_diagram.md").read_text(encoding="utf-8")
    namespace: dict[str, Any] = {}
    with (
        contextlib.redirect_stdout(io.StringIO()),
        tempfile.TemporaryDirectory() as folder,
        contextlib.chdir(folder),  # the page saves a figure, too
    ):
        for block in pages.blocks(page):
            if block.kind == "python":
                exec(block.body, namespace)
    return namespace["ax"].get_figure()


@figure
def perceptron() -> Figure:
    """Storage: overlap of two solutions up to Gardner's capacity, entropy of binary weights."""
    drawn, panels = _panels(2)
    margins: dict[str, Any] = {"kappa": [0.0, 0.5, 1.0]}
    axes: dict[str, Any] = {**margins, "alpha": np.linspace(0.02, 2.2, 219)}
    ds = scan(replica.load("gardner-spherical"), axes, warm_start=False, progress=False)
    curve(ds.where(converged(ds), drop=True), "alpha", "q", panels[0], hue="kappa")
    for kappa, colour in zip(margins["kappa"], PALETTE, strict=False):
        panels[0].axvline(_capacity(kappa), color=colour, linestyle="--", linewidth=0.8)
    panels[0].set_title("spherical weights", fontsize="medium")
    axes = {**margins, "alpha": np.linspace(0.02, 1.0, 99)}
    ds = scan(replica.load("krauth-mezard"), axes, progress=False)
    shown = ds.where(converged(ds) & (ds.free_entropy > -0.2))
    for i, kappa in enumerate(margins["kappa"]):
        one = shown.sel(kappa=kappa)
        panels[1].plot(one.alpha, one.free_entropy, color=PALETTE[i], label=rf"$\kappa$ = {kappa}")
    panels[1].set_title("binary weights", fontsize="medium")
    panels[1].set_xlabel(r"$\alpha$")
    panels[1].set_ylabel("entropy")
    panels[1].axhline(0, color="grey", linewidth=0.5)
    return drawn


@figure
def attractor_networks() -> Figure:
    """Capacity for biased patterns, and the bias of the weights that hold them."""
    drawn, panels = _panels(2)
    model, means = replica.load("gardner-attractors"), np.linspace(0.02, 0.9, 45)
    for kappa, colour in zip((0.0, 0.5, 1.0), PALETTE, strict=False):
        line = model.boundary("capacity", "alpha", along="a", over=means, kappa=kappa)
        for ax, name in zip(panels, ("alpha", "b"), strict=True):
            ax.plot(line["a"], line[name], color=colour, label=rf"$\kappa$ = {kappa}")
            ax.set_xlabel("mean $a$ of the patterns")
    panels[0].set_ylabel(r"$\alpha_c$")
    panels[1].set_ylabel("bias $b$ of the weights")
    panels[0].legend(frameon=False, fontsize="small")
    return drawn


def _capacity(kappa: float) -> float:
    """Gardner's 1 / E max(0, kappa + z)**2."""
    second = (1 + kappa**2) * norm.cdf(kappa) + kappa * norm.pdf(kappa)
    return float(1 / second)


@figure
def teacher_student() -> Figure:
    """Bayes-optimal test error of the perceptron, and the entropy of binary weights."""
    drawn, panels = _panels(2)
    axes: dict[str, Any] = {"alpha": np.linspace(0.02, 2.5, 249)}
    ds = scan(replica.load("perceptron-gaussian"), axes, progress=False)
    curve(ds, "alpha", "test_error", panels[0], label="Gaussian weights")
    ds = _from(replica.load("perceptron-rademacher"), "uninformed", axes)
    # Perfect recovery is a limit, at which the error is zero.
    panels[0].plot(ds.alpha, ds.test_error, color=PALETTE[1], label="binary weights")
    panels[0].legend(frameon=False, fontsize="small")
    low = ds.where(ds.alpha < 1.6, drop=True)
    curve(low, "alpha", "free_entropy", panels[1], color=PALETTE[1])
    panels[1].axhline(0, color="grey", linewidth=0.5)
    panels[1].axvline(1.245, color="grey", linestyle="--", linewidth=0.8)
    panels[1].set_ylabel("free entropy, binary weights")
    return drawn


@figure
def multiclass_perceptron() -> Figure:
    """Three classes: learning curves, and the first-order transition of binary rows."""
    drawn, panels = _panels(2)
    alpha = np.geomspace(0.2, 20, 41)
    ds = scan(replica.load("multiclass-bayes-gaussian-3"), {"alpha": alpha}, progress=False)
    curve(ds, "alpha", "test_error", panels[0], label="Bayes-optimal", color="black")
    for loss, lam in (("cross-entropy", 0.01), ("cross-entropy", 1.0), ("square", 0.86)):
        model = replica.load(f"multiclass-{loss}-3")
        ds = scan(model, {"alpha": alpha}, {"lam": lam}, progress=False)
        label = rf"{loss}, $\lambda$ = {lam:g}"
        curve(ds, "alpha", "test_error", panels[0], label=label)
    ds = scan(replica.load("multiclass-hard-margin-3"), {"alpha": alpha}, progress=False)
    curve(ds, "alpha", "test_error", panels[0], label="largest margin", linestyle="--")
    panels[0].set_xscale("log")
    panels[0].set_yscale("log")
    panels[0].legend(frameon=False, fontsize="small")
    model = replica.load("multiclass-bayes-rademacher-3")
    low = np.linspace(0.1, 2.88, 57)
    ds = scan(model, {"alpha": low}, progress=False)
    excess = ds.free_entropy + 2.75 * np.log(2)
    panels[1].plot(ds.alpha, ds.test_error, label="test error")
    panels[1].plot(ds.alpha, excess, label="free entropy above perfect learning")
    panels[1].axhline(0, color="grey", linewidth=0.5)
    for threshold in (2.394895, 2.885561):
        panels[1].axvline(threshold, color="grey", linestyle="--", linewidth=0.8)
    panels[1].set_xlabel(r"$\alpha$")
    panels[1].set_title("binary rows", fontsize="medium")
    panels[1].legend(frameon=False, fontsize="small")
    return drawn


@figure
def committee_machine() -> Figure:
    """Two hidden units: overlaps and errors on both branches of the specialisation transition."""
    drawn, panels = _panels(2)
    model = replica.load("committee-2-gaussian")
    alpha = np.concatenate([np.linspace(0.1, 2.0, 12), np.geomspace(2.06, 6.0, 16)])
    found = scan(model, {"alpha": alpha}, progress=False)
    symmetric = {"q_u": 0.7, "q": 0.0}
    other = _from(model, symmetric, {"alpha": np.linspace(2.06, 5.0, 8)})
    names = (("q_11", "$q_{11}$", 0), ("q_12", "$q_{12}$", 0))
    names += (("gibbs_error", "Gibbs error", 1), ("squared_error", "squared error", 1))
    for k, (name, label, panel) in enumerate(names):
        panels[panel].plot(alpha, found[name], color=PALETTE[k], label=label)
        panels[panel].plot(other.alpha, other[name], color=PALETTE[k], linestyle=":")
    for panel in panels:
        panel.axvline(2.052382, color="grey", linestyle="--", linewidth=0.8)
        panel.set_xlabel(r"$\alpha$")
        panel.legend(frameon=False, fontsize="small")
    return drawn


@figure
def potts_attention() -> Figure:
    """Factored attention: both scenarios against training, penalty, couplings from samples."""
    drawn, panels = plt.subplots(1, 4, figsize=(13, 3.0), layout="constrained")
    alpha, dots = np.geomspace(0.3, 10, 25), np.array([0.5, 1.0, 2.0, 4.0, 8.0])
    kinds = {"star": "star", "directed": "uniform context"}
    for (kind, label), color in zip(kinds.items(), PALETTE, strict=False):
        ds = scan(replica.load(f"potts-{kind}-3"), {"alpha": alpha}, progress=False)
        curve(ds, "alpha", "test_cross_entropy", panels[0], label=label, color=color)
        curve(ds, "alpha", "cosine", panels[1], label=label, color=color)
        panels[0].axhline(float(ds.least_cross_entropy[0]), color=color, ls=":", lw=0.8)
        runs = [_attention_trained(kind, a) for a in dots]
        for k, panel in enumerate(panels[:2]):
            mean = [r[:, k].mean() for r in runs]
            error = [r[:, k].std(ddof=1) / np.sqrt(len(r)) for r in runs]
            panel.errorbar(dots, mean, error, fmt="o", ms=3, color=color)
    for panel in panels[:2]:
        panel.set_xscale("log")
    panels[0].legend(frameon=False, fontsize="small")
    lam = np.geomspace(0.02, 1, 15)
    ds = scan(replica.load("potts-directed-3"), {"lam": lam}, progress=False)
    curve(ds, "lam", "test_cross_entropy", panels[2], color=PALETTE[1], label="factored")
    ds = scan(replica.load("potts-full-directed-3"), {"lam": lam}, progress=False)
    curve(ds, "lam", "test_cross_entropy", panels[2], color=PALETTE[2], label="all couplings")
    panels[2].axhline(0.845749, color="black", ls="--", lw=0.8, label="Bayes-optimal")
    panels[2].set_xscale("log")
    panels[2].set_title(r"uniform context, $\alpha$ = 2", fontsize="medium")
    panels[2].legend(frameon=False, fontsize="small")
    random, values = np.random.default_rng(0), zero_sum(np.eye(3))
    upper = np.triu(random.normal(0, 0.4, (16, 16)), 1)
    model = PottsModel(upper + upper.T, values)
    for samples, color in ((500, PALETTE[1]), (10_000, PALETTE[0])):
        tokens = model.sample(samples, seed=1, progress=False)
        attention = train_attention(tokens, values, 0.1)
        off = ~np.eye(16, dtype=bool)
        panels[3].plot(
            model.couplings[off], attention[off], ".", ms=3, color=color, label=f"{samples} samples"
        )
    panels[3].axline((0, 0), slope=1, color="grey", lw=0.8)
    panels[3].set_xlabel("$J_{ij}$")
    panels[3].set_ylabel("$A_{ij}$")
    panels[3].legend(frameon=False, fontsize="small")
    return drawn


def _attention_inputs(context: np.ndarray) -> np.ndarray:
    """What a unit of attention to each site adds to the logits (samples, colours, sites)."""
    return zero_sum(np.eye(3)).T[context].transpose(0, 2, 1) / np.sqrt(context.shape[1])


def _attention_trained(kind: str, alpha: float, sites: int = 150, runs: int = 8) -> np.ndarray:
    """Test cross-entropy and cosine of attention trained on samples, one run a row."""
    draw = star_samples if kind == "star" else directed_samples
    values, results = zero_sum(np.eye(3)), []
    for seed in range(runs):
        true = np.random.default_rng(seed).normal(size=sites)
        true *= 3 * np.sqrt(sites) / np.linalg.norm(true)
        labels, context = draw(true, values, round(alpha * sites), seed)
        own = train_row(_attention_inputs(context), labels, 0.1)
        labels, context = draw(true, values, 3000, 100 + seed)
        h = _attention_inputs(context) @ own
        loss = np.log(np.exp(h).sum(1)) - h[np.arange(len(h)), labels]
        cosine = own @ true / np.linalg.norm(own) / np.linalg.norm(true)
        results.append((loss.mean(), cosine))
    return np.array(results)


@figure
def linear_regression() -> Figure:
    """Ridge and its descents, LASSO, compressed sensing."""
    drawn, panels = plt.subplots(1, 3, figsize=(10, 3.0), layout="constrained")
    alpha = np.geomspace(0.1, 10, 201)
    ds = scan(
        replica.load("ridge-linear"),
        {"lam": [1e-4, 1e-2, 0.1, 1.0], "alpha": alpha},
        progress=False,
    )
    curve(ds, "alpha", "mse", panels[0], hue="lam")
    panels[0].set_xscale("log")
    panels[0].set_yscale("log")
    panels[0].set_title("ridge", fontsize="medium")
    lam = np.geomspace(1e-3, 1, 101)
    ds = scan(
        replica.load("lasso"), {"alpha": [0.3, 0.5, 0.7, 1.0], "lam": lam[::-1]}, progress=False
    )
    curve(ds, "lam", "mse", panels[1], hue="alpha")
    panels[1].set_xscale("log")
    panels[1].set_title("LASSO", fontsize="medium")
    panels[1].legend(frameon=False, fontsize="small", loc="upper center", ncols=2)
    panels[1].set_ylim(0, 0.28)
    model, axes = replica.load("compressed-sensing"), {"alpha": np.linspace(0.2, 1, 161)}
    for noise, colour in ((1e-2, "#0072B2"), (1e-4, "#D55E00"), (1e-6, "#009E73")):
        for start, line in (("uninformed", "-"), (NEAR, ":")):
            ds = _from(model, start, axes, {"Delta": noise})
            label = rf"$\Delta = 10^{{{np.log10(noise):.0f}}}$" if line == "-" else None
            curve(ds, "alpha", "mse", panels[2], color=colour, linestyle=line, label=label)
    panels[2].set_yscale("log")
    panels[2].set_title("compressed sensing", fontsize="medium")
    panels[2].legend(frameon=False, fontsize="small", loc="lower left")
    return drawn


@figure
def logistic_regression() -> Figure:
    """Test errors on a teacher's signs, beside the Bayes-optimal one."""
    drawn, panels = _panels(2, sharey=True)
    alpha = np.geomspace(0.2, 20, 101)
    bayes = scan(replica.load("perceptron-gaussian"), {"alpha": alpha}, progress=False)
    for ax, kind in zip(panels, ("logistic", "ridge"), strict=True):
        axes: dict[str, Any] = {"lam": [1e-3, 0.1, 10.0], "alpha": alpha}
        ds = scan(replica.load(f"{kind}-sign"), axes, progress=False)
        curve(ds, "alpha", "test_error", ax, hue="lam")
        curve(bayes, "alpha", "test_error", ax, color="black", linestyle="--", label="Bayes")
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_title(kind, fontsize="medium")
        ax.legend(frameon=False, fontsize="small")
    panels[1].set_ylabel("")
    return drawn


@figure
def gaussian_covariate() -> Figure:
    """Double descent of random features, and logistic regression on a power law."""
    drawn, (left, right) = _panels(2)
    axes: dict[str, Any] = {"lam": [1e-4, 1e-2, 1.0], "gamma": np.geomspace(0.2, 20, 121)}
    features = scan(replica.load("random-features-square"), axes, {"alpha": 2}, progress=False)
    curve(features, "gamma", "mse", left, hue="lam")
    left.set(xscale="log", yscale="log", title="random features, square loss")
    axes = {"lam": [1e-2, 0.1, 1.0], "alpha": np.geomspace(0.2, 20, 101)}
    for name, style in (("covariate-logistic", "-"), ("logistic-sign", "--")):
        for color, lam in zip(PALETTE, axes["lam"], strict=False):
            ds = scan(replica.load(name), {"alpha": axes["alpha"]}, {"lam": lam}, progress=False)
            label = rf"$\lambda = {lam:g}$" if style == "-" else None
            curve(ds, "alpha", "test_error", right, color=color, linestyle=style, label=label)
    right.set(xscale="log", yscale="log", title="power law, logistic loss")
    right.legend(frameon=False, fontsize="small")
    return drawn


@figure
def digits_features() -> Figure:
    """Theory and measurement on handwritten digits."""
    sys.path.insert(0, str(ROOT / "examples"))
    import digits_features as example

    return example.draw(example.compute())


@figure
def spiked_wigner() -> Figure:
    """Matrix error against the signal, dense and sparse spikes, from both sides."""
    drawn, panels = _panels(2, sharey=True)
    dense = np.linspace(0.02, 3, 150)
    for start, line in ((FAR, "-"), ("informed", ":")):
        ds = _from(replica.load("spiked-wigner-rademacher"), start, {"lam": dense})
        curve(
            ds, "lam", "matrix_mse", panels[0], label=_name(start), linestyle=line, color="#0072B2"
        )
        for rho, colour in ((0.1, "#0072B2"), (0.02, "#D55E00")):
            axes: dict[str, Any] = {"lam": np.linspace(0.02, 1.5, 149)}
            ds = _from(replica.load("spiked-wigner-ternary"), start, axes, {"rho": rho})
            label = rf"$\rho = {rho}$" if line == "-" else None
            curve(ds, "lam", "matrix_mse", panels[1], label=label, linestyle=line, color=colour)
    panels[0].set_title("Rademacher spike", fontsize="medium")
    panels[1].set_title("sparse Rademacher spike", fontsize="medium")
    panels[1].set_ylabel("")
    for ax in panels:
        ax.legend(frameon=False, fontsize="small")
    return drawn


@figure
def memory_reconstruction() -> Figure:
    """Error of a memory against the noise of the synapses, behind thresholds and by sparsity."""
    drawn, panels = _panels(2)
    dense, nu = replica.load("memory-reconstruction-rademacher"), np.linspace(0.05, 1.2, 231)
    ds = _from(dense, FAR, {"tau": [-0.5, 0.0, 0.3, 0.5], "nu": nu})
    curve(ds, "nu", "mse", panels[0], hue="tau")
    panels[0].set_title("Rademacher patterns", fontsize="medium")
    panels[0].legend(frameon=False, fontsize="small")
    skewed = replica.load("memory-reconstruction-skewed")
    for rho, colour in zip((0.1, 0.2, 0.4), PALETTE, strict=False):
        size = rho * (1 - rho)
        for start, line in (({"q": 1e-6 * size, "V": size}, "-"), ("informed", ":")):
            ds = _from(
                skewed, start, {"nu": size * np.linspace(0.4, 1.3, 181)}, {"tau": -100, "rho": rho}
            )
            label = rf"$\rho$ = {rho}" if line == "-" else None
            panels[1].plot(ds.nu / size, ds.mse / size, line, color=colour, label=label)
    panels[1].set_title("skewed patterns, no rectifier", fontsize="medium")
    panels[1].set(xlabel=r"$\nu\,/\rho(1-\rho)$", ylabel=r"mse$\,/\rho(1-\rho)$")
    panels[1].legend(frameon=False, fontsize="small")
    return drawn


@figure
def manifold_capacity() -> Figure:
    """Capacity of balls, and what a threshold and contexts gain."""
    drawn, panels = _panels(2)
    radius = np.geomspace(0.05, 5, 61)
    ds = scan(replica.load("manifold-balls"), {"D": [1.0, 2.0, 5.0, 20.0], "R": radius},
              progress=False)  # fmt: skip
    curve(ds, "R", "alpha", panels[0], hue="D")
    for dimension, colour in zip(ds.D.values, PALETTE, strict=False):
        margin = radius * np.sqrt(dimension) / np.sqrt(1 + radius**2)
        approximate = [_capacity(m) for m in margin]
        panels[0].plot(radius, approximate, color=colour, linestyle="--", linewidth=0.8)
    panels[0].set_xscale("log")
    fraction = np.geomspace(0.01, 0.5, 31)
    ds = scan(replica.load("manifold-balls-sparse"), {"f": fraction}, progress=False)
    panels[1].plot(fraction, ds.alpha, color=PALETTE[0], label="sparse labels")
    gated = replica.load("manifold-balls-contexts")
    settings = replica.CapacitySettings(samples=2**14)
    for count, colour in ((1.0, PALETTE[1]), (2.0, PALETTE[2])):
        alpha = gated.solve(K=count, settings=settings)["alpha"]
        label = f"{count:g} context vector{'s' if count > 1 else ''}"
        panels[1].axhline(alpha, color=colour, linestyle="--", label=label)
    panels[1].set_xscale("log")
    panels[1].set_yscale("log")
    panels[1].set_xlabel("$f$")
    panels[1].set_ylabel(r"$\alpha$")
    panels[1].legend(frameon=False, fontsize="small")
    return drawn


@figure
def manifold_contexts() -> Figure:
    """Capacity against the number of contexts, correlated or not, and with sparse labels."""
    drawn, panels = _panels(2)
    settings, counts = replica.CapacitySettings(samples=2**13), np.arange(1.0, 5.0)
    shapes = {
        "points": replica.Point(),
        "R = 0.3": replica.Ball(0.3, 5),
        "R = 1": replica.Ball(1, 5),
    }
    for (name, shape), colour in zip(shapes.items(), PALETTE, strict=False):
        label = name if name == "points" else f"balls, ${name}$"
        for correlation, style in ((0.0, "o-"), (0.5, "s--")):
            alpha = [
                replica.ManifoldModel(
                    name="gated", shape=shape, contexts=replica.Contexts(int(k), correlation)
                ).solve(settings=settings, throw=False)["alpha"]
                for k in counts
            ]
            panels[0].plot(counts, alpha, style, color=colour, markersize=3,
                           label=label if correlation == 0 else None)  # fmt: skip
    panels[0].set_xticks(counts)
    panels[0].set_xlabel("context vectors $K$")
    fractions = np.geomspace(0.01, 0.5, 8)
    for count, colour in ((0, PALETTE[0]), (1, PALETTE[1]), (2, PALETTE[2])):
        contexts = replica.Contexts(count) if count else None
        models = (
            replica.ManifoldModel(name="sparse", shape=replica.Ball(0.5, 5), positive_fraction=f,
                                  contexts=contexts)
            for f in fractions
        )  # fmt: skip
        found = [m.solve(settings=settings, throw=False) for m in models]
        panels[1].plot(fractions, [s["alpha"] for s in found], "o-", color=colour, markersize=3,
                       label=f"$K = {count}$")  # fmt: skip
    panels[1].set_xscale("log")
    panels[1].set_xlabel("$f$")
    for panel in panels:
        panel.set_yscale("log")
        panel.set_ylabel(r"$\alpha$")
        panel.legend(frameon=False, fontsize="small")
    return drawn


@figure
def digits_manifolds() -> Figure:
    """The figure of the example of measured manifolds."""
    sys.path.insert(0, str(ROOT / "examples"))
    import digits_manifolds as example

    return example.draw(example.compute())


@figure
def factual_recall() -> Figure:
    """Scaled loads against the dimension, far from their limits; two layers; a margin."""
    drawn, panels = _panels(2)
    sizes = np.geomspace(8, 1e4, 25)
    best = scan(replica.load("factual-recall"), {"d": sizes}, progress=False)
    panels[0].plot(sizes, best.scaled_load, color=PALETTE[0], label="best matrix")
    hebb, loads = replica.load("factual-recall-hebb"), []
    for d, most in zip(sizes, best.p.values, strict=True):
        found = hebb.boundary("perfect=0.5", "p", d=d, bracket=(max(2.0, most / 40), most))
        pairs = found.parameters["p"]
        loads.append(pairs * np.log(pairs) / d**2)
    panels[0].plot(sizes, loads, color=PALETTE[1], label="rule of Hebb")
    for limit, colour in ((1 / 2, PALETTE[0]), (1 / 8, PALETTE[1])):
        panels[0].axhline(limit, color=colour, linestyle="--", linewidth=0.8)
    panels[0].set_xscale("log")
    panels[0].set_ylim(bottom=0)
    panels[0].set_xlabel("$d$")
    panels[0].set_ylabel(r"$p\,\log p/d^2$")
    panels[0].legend(frameon=False, fontsize="small")
    gamma = np.linspace(0.02, 1, 50)
    two = scan(replica.load("factual-recall-two-layer"), {"d": [20.0, 100.0], "gamma": gamma},
               progress=False)  # fmt: skip
    for index, d in enumerate(two.d.values):
        part = two.p.sel(d=d)
        panels[1].plot(gamma, part / part[-1], color=PALETTE[index], label=f"$d = {d:g}$")
    panels[1].set_xlabel(r"$\gamma$")
    panels[1].set_ylabel(r"$p_c(\gamma)/p_c(1)$")
    panels[1].legend(frameon=False, fontsize="small")
    return drawn


@figure
def recalled_pairs() -> Figure:
    """The figure of the example of factual recall."""
    sys.path.insert(0, str(ROOT / "examples"))
    import factual_recall as example

    return example.draw(example.compute())


@figure
def recalled_sizes() -> Figure:
    """The figure of the example of factual recall at several sizes."""
    sys.path.insert(0, str(ROOT / "examples"))
    import factual_recall_sizes as example

    return example.draw(example.compute())


@figure
def phase_retrieval() -> Figure:
    """Mean squared error against the number of projections, from both sides."""
    drawn, ax = _panels(1)
    model = replica.load("phase-retrieval")
    for start, line, label in (("uninformed", "-", "uninformed"), (NEAR, ":", "near the signal")):
        ds = _from(model, start, {"alpha": np.linspace(0.055, 1.395, 135)})
        # At the boundary of the domain recovery is perfect.
        mse = ds.mse.where(converged(ds), 0.0)
        ax.plot(ds.alpha, mse, label=label, linestyle=line, color=PALETTE[0])
    ax.set_xlabel(r"$\alpha$")
    ax.set_ylabel("mean squared error")
    ax.legend(frameon=False, fontsize="small")
    return drawn


@figure
def attention_paths() -> Figure:
    """Accuracy against width with the limits of infinite width, samples, and heat maps of U."""
    model = replica.load("attention-paths")
    drawn, axes = plt.subplot_mosaic(
        "AAB;AAC;AAD", figsize=(7.2, 4.6), layout="constrained", width_ratios=(1, 1, 0.9)
    )
    ds = scan(model, {"N": np.geomspace(10, 1000, 25)}, progress=False)
    ax = axes["A"]
    curve(ds, "N", "accuracy", ax, label="theory")
    system = model.compile()
    features, labels = system.features, system.arrays["y"]
    widths, sampled = (10, 30, 100, 300), []
    for N in widths:
        samples = sample_action(model, 4000, N=N, seed=0, thin=20)
        U = samples.matrices("U_1")
        means = [
            KernelPredictor(u, features["Z"], labels, 0.01).mean(features["Z_test"]) for u in U[::3]
        ]
        right = np.sign(np.mean(means, axis=0)) == np.sign(system.arrays["y_test"][:, 0])
        sampled.append(right.mean())
    ax.plot(widths, sampled, "o", color="black", markersize=4, label="sampled, finite width")
    for kept, line, label in (
        ([0, 1, 2, 3], "-", "all paths"), ([0], "--", "good path alone"),
        ([0, 2], ":", "good and denoising alone"),
    ):  # fmt: skip
        prior = np.zeros((4, 4))
        prior[kept, kept] = 4 / len(kept)  # features are scaled by the number of paths
        limit = KernelPredictor(prior, features["Z"], labels, 0.01).mean(features["Z_test"])
        right = np.sign(limit) == np.sign(system.arrays["y_test"][:, 0])
        ax.axhline(right.mean(), color="grey", linestyle=line, label=rf"$N=\infty$, {label}")
    ax.set_xscale("log")
    ax.set_ylim(bottom=0.84)  # room for the legend
    ax.legend(frameon=False, fontsize="small", loc="lower left")
    names = ["good", "denoising", "adv. 1", "adv. 2"]
    for letter, N in zip("BCD", (10, 100, 1000), strict=True):
        U = model.solve(N=N, start="uninformed").matrix("U_1")[np.ix_([0, 2, 1, 3], [0, 2, 1, 3])]
        heat_map(U, axes[letter], names if letter == "D" else None)
        axes[letter].set_title(f"$N = {N}$", fontsize="small")
    return drawn


def _name(start: str | dict[str, float]) -> str:
    return start if isinstance(start, str) else "uninformed"


def _from(
    model: Any,
    start: str | dict[str, float],
    axes: dict[str, Any],
    fixed: dict[str, float] | None = None,
) -> Any:
    """Solve every point from the same start."""
    return scan(model, axes, fixed, start=start, warm_start=False, progress=False)


def _stable_curves(ax: Axes, ds: Any, x: str, y: str, hue: str) -> None:
    """Draw curves, dotted where the replicon is negative."""
    stable = ds.replicon > 0
    for i, value in enumerate(ds[hue].values):
        one, good = ds.sel({hue: value}), stable.sel({hue: value})
        label = f"${hue} = {value:g}$"
        colour = PALETTE[i]
        ax.plot(one[x], one[y].where(good), color=colour, label=label)
        ax.plot(one[x], one[y].where(~good), color=colour, linestyle=":")
    ax.set_xlabel(f"${x}$")
    ax.set_ylabel(y if len(y) > 1 else f"${y}$")


def main() -> None:
    """Draw what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(FIGURES))
    for name in parser.parse_args().names or FIGURES:
        drawn = FIGURES[name]()
        drawn.savefig(ROOT / "docs" / "figures" / f"{name}.png", dpi=150)
        plt.close(drawn)
        click.echo(name)


if __name__ == "__main__":
    main()
