r"""Capacity of a classification of manifolds: the limit ``q -> 1`` of its free entropy.

The weights fill a fraction of the sphere whose logarithm per weight is

    1/2 [log(1 - q) + q/(1 - q)] + alpha E_T log Pr_Z[ sqrt(q) T + sqrt(1 - q) Z in K ].

As ``q -> 1`` both terms diverge like ``1/(1 - q)``, the second one with the squared distance of
``T`` from ``K`` (a Moreau envelope of the constraint): ``[1 - alpha E d^2(T, K)] / (2 (1 - q))``,
which vanishes at the capacity (Gardner 1988; Chung, Lee & Sompolinsky 2018).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import sympy as sp

from replica.calculus.distances import (
    BusiestContext,
    ConvexSet,
    SquaredDistance,
    StandardAverage,
    T,
)
from replica.calculus.spectral_share import SpectralShare
from replica.declare.manifolds import Manifolds
from replica.declare.shapes import Shape
from replica.declare.symbols import p
from replica.declare.weights import MatrixWeights
from replica.derive.saddle_point import SaddlePoint, Unknown

#: Capacity: manifolds per weight.
ALPHA = sp.Symbol("alpha", positive=True)
#: Threshold of the readout.
THRESHOLD = sp.Symbol("b", real=True)
#: Components of the weights along the context vectors, and the norm of the weights with them.
_ALONG, _NORM = sp.Symbol("a"), sp.Symbol("s", positive=True)
_FIELD = sp.Symbol(r"a\cdot r")
_SET = sp.Symbol(r"\mathcal{K}")
_MEANINGS = {
    T: "standard Gaussian vector, the fields of the centre and of the axes",
    THRESHOLD: "threshold of the readout, which minimises the average",
}


@dataclass(frozen=True)
class CapacityEquation(SaddlePoint):
    """The equation of a capacity.

    Attributes
    ----------
    shape : Shape
        The shape, with the corrections of correlated centres.
    load : Expr
        ``1/alpha``: the average of the squared distance.
    stationary_threshold : Expr or None
        What vanishes at the best threshold.
    weights : MatrixWeights or None
        What the weights are, where their number is finite.
    """

    shape: Shape | None = None
    load: sp.Expr = field(default=sp.S.Zero)
    stationary_threshold: sp.Expr | None = None
    weights: MatrixWeights | None = None

    @property
    def counted(self) -> bool:
        """Whether the shape depends on the number of manifolds."""
        assert self.shape is not None
        return any(p in e.free_symbols for e in self.shape.expressions)

    @property
    def _is_sparse_with_contexts(self) -> bool:
        return isinstance(self.load, BusiestContext) and bool(self.load.free)

    def latex(self, symbols: bool = True) -> str:
        """Return a complete ``align`` block, followed by a list of symbols where asked for."""
        assert self.shape is not None
        contexts = isinstance(self.load, BusiestContext)
        name = r"\mathcal{K}^{c}" if contexts else r"\mathcal{K}"
        region = ""
        support = self.shape.support()
        if contexts:
            support = r"\min_{S\in\mathcal{S}:\,\theta(r_k\cdot S)=c_k}\, V\cdot S"
        rows = [(r"\frac{1}{\alpha}", sp.latex(self.load))]
        if self.stationary_threshold is not None:
            rows.append(("0", sp.latex(self.stationary_threshold)))
        set_body = r"\left\{V=(V_0,\mathbf{v}):\ " + support + r" \ge k" + region + r"\right\}"
        rows.append(
            (r"d^2\left(T,\mathcal{K}\right)", r"\min_{V\in\mathcal{K}}\,\lVert V-T\rVert^2")
        )
        if self.stationary_threshold is not None:
            rows.append(
                (
                    r"\lambda\left(T,\mathcal{K}_k\right)",
                    r"\tfrac12\,\partial_k\, d^2\left(T,\mathcal{K}_k\right)",
                )
            )
        rows.append((name + "_{k}", set_body))
        if self._is_sparse_with_contexts and _NORM in self.load.args[0].free_symbols:
            rows.append((sp.latex(_NORM), r"\sqrt{1 + a^{\mathsf{T}}\boldsymbol{\Phi}\, a}"))
        if self.weights is not None:
            rows += _weight_rows(self.weights)
        words = {sp.Symbol(n): rf"\,{_words(n)}" for n in self.shape.quantities}
        rows += [
            (_words(name), sp.latex(observable, symbol_names=words))
            for name, observable in self.observables.items()
        ]
        body = " \\\\\n".join(f"  {left} &= {right}" for left, right in rows)
        block = f"\\begin{{align}}\n{body}\n\\end{{align}}"
        return f"{block}\n{self._symbol_list()}" if symbols else block

    def _symbol_list(self) -> str:
        items = [(sp.latex(ALPHA), "capacity, manifolds per weight"), ("T", _MEANINGS[T])]
        if self.stationary_threshold is not None:
            items.append(("b", _MEANINGS[THRESHOLD]))
        if isinstance(self.load, BusiestContext):
            items.append(("r", "components of the context vectors along the axes of a manifold"))
        if self._is_sparse_with_contexts:
            items.append(("b", _MEANINGS[THRESHOLD]))
            items.append(("a", "components of the weights of a context along the context vectors"))
            items.append((r"\boldsymbol{\Phi}", "correlations of the context vectors"))
        if self.weights is not None:
            items.append(("p", "number of manifolds at capacity"))
            if isinstance(_share(self.weights), SpectralShare):
                items.append((r"\theta", "angle of the smallest singular value that is kept"))
        items += [(sp.latex(s), s.doc or s.python_name) for s in self.parameters.values()]
        body = "\n".join(rf"  \item ${symbol}$: {meaning}." for symbol, meaning in items)
        return f"\\begin{{itemize}}\n{body}\n\\end{{itemize}}\n"

    def __str__(self) -> str:
        assert self.shape is not None
        lines = [f"{self.name} ({self.ansatz})", f"  1/alpha = {self.load}"]
        if self.stationary_threshold is not None:
            lines.append(f"  0 = {self.stationary_threshold}")
        lines += [f"  {name} = {e}" for name, e in self.observables.items()]
        lines.append(f"  K(k) = vectors V with V.S >= k for all S of {self.shape!r}")
        return "\n".join(lines)


def _words(name: str) -> str:
    return rf"\text{{{name.replace('_', ' ')}}}"


def _weight_rows(weights: MatrixWeights) -> list[tuple[str, str]]:
    """Return what is printed about the weights: their number, and what their rank leaves."""
    rows = [("p", rf"\alpha\, {sp.latex(weights.count)}")]
    share = _share(weights)
    if isinstance(share, SpectralShare):
        rank, aspect = share.args
        y = sp.latex(aspect)
        density = (
            r"\frac{\theta - \sin\theta}{\pi}" if aspect == 1 else
            r"\frac{2}{\pi}\int_0^\theta\frac{\sin^2\phi\,d\phi}"
            rf"{{1 + y + 2\sqrt{{y}}\cos\phi}},\quad y = {y}"
        )  # fmt: skip
        rows.append((sp.latex(share), r"\frac{\theta - \sin\theta\cos\theta}{\pi}"))
        rows.append((sp.latex(rank), density))
    return rows


def _share(weights: MatrixWeights) -> sp.Expr:
    """Squared width of the set of weights of norm one, as a share of their number."""
    sizes = weights.rows, weights.columns
    return SpectralShare(weights.rank, sp.Min(*sizes) / sp.Max(*sizes))


def _busiest(
    margin: sp.Expr, components: sp.Expr, fraction: sp.Expr | None, count: sp.Expr
) -> sp.Expr:
    """Return the load of the busiest context.

    The weights of a context may have finite components along the context vectors, whose fields are
    not those of other directions. They vanish for unbiased labels, by symmetry and convexity. With
    sparse labels they act as a threshold that depends on the point.
    """

    def distance(vector: sp.Expr, k: sp.Expr) -> sp.Expr:
        return SquaredDistance(vector, ConvexSet(sp.Symbol(r"\mathcal{K}^{c}"), k))

    if fraction is None:
        return BusiestContext(distance(T, margin), T, components, count)
    both = fraction * distance(T + _FIELD, _NORM * margin + THRESHOLD) + (1 - fraction) * distance(
        T - _FIELD, _NORM * margin - THRESHOLD
    )
    return BusiestContext(both, T, components, count, (_ALONG, THRESHOLD), (_FIELD, _NORM))


def derive_capacity(declaration: Manifolds) -> CapacityEquation:
    """Derive the equation of the capacity.

    Correlated centres share a direction that is useless for unbiased labels: projecting it out
    leaves centres of norm ``sqrt(1 - rho)``, in units of which margin and radii grow. Matrices of
    low rank are a cone: a Gaussian matrix projects on it with the share ``omega^2`` of its squared
    norm, which stands for the number of weights (Gordon's inequality).
    """
    shrink = sp.sqrt(1 - declaration.centre_correlation)
    shape = declaration.shape.scaled(1 / shrink)
    margin = declaration.margin / shrink
    components = sp.sympify(shape.dimension) + 1

    def average(k: sp.Expr) -> sp.Expr:
        return StandardAverage(SquaredDistance(T, ConvexSet(_SET, k)), T, components)

    condition = None
    start = {"uninformed": sp.Float(1), "informed": sp.Float(1)}
    fraction = declaration.positive_fraction
    if declaration.contexts is not None:
        load = _busiest(margin, components, fraction, declaration.contexts.count)
    elif fraction is not None:
        load = fraction * average(margin + THRESHOLD) + (1 - fraction) * average(margin - THRESHOLD)
        condition = load.diff(THRESHOLD) / 2
    else:
        load = average(margin)
    if declaration.weights is not None:
        load = load / _share(declaration.weights)
    unknowns = [Unknown(ALPHA, 1 / load, (0, float("inf")), start, "capacity")]
    if condition is not None:
        zero = {"uninformed": sp.Float(0), "informed": sp.Float(0)}
        unknowns.append(
            Unknown(
                THRESHOLD, THRESHOLD - condition, (-float("inf"), float("inf")), zero, "threshold"
            )
        )
    return CapacityEquation(
        name=declaration.name,
        ansatz="replica symmetric, capacity",
        parameters=declaration.parameters,
        definitions=(),
        conjugates=(),
        unknowns=tuple(unknowns),
        free_entropy=(1 - ALPHA * load) / 2,
        replicon=None,
        observables=declaration.observables,
        stationary=(),
        notes=("Exact for a margin of zero or more; an upper bound below.",),
        shape=shape,
        load=load,
        stationary_threshold=condition,
        weights=declaration.weights,
    )
