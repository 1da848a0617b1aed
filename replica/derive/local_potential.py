"""The local potential of a field: its smoothed weight, or the Moreau envelope of its loss."""

from __future__ import annotations

import sympy as sp

from replica.calculus.convex import require_convex, sample_values
from replica.calculus.nodes import MoreauEnvelope, Proximal, ProximalSlope
from replica.calculus.special import LogSumExp, stabilise
from replica.declare.fields import DeterministicLabels, DiscreteLabels, Field, LinearLabels
from replica.declare.symbols import beta
from replica.derive.field_average import RESIDUAL
from replica.derive.smoothing import Smoothed, signs_inside, simplify_signs, smooth
from replica.errors import DerivationError

#: Laws of labels that are integrated over.
CONTINUOUS = (LinearLabels, DeterministicLabels)


def weight_of(field: Field) -> tuple[sp.Expr | None, sp.Expr | None, sp.Expr | None]:
    """Energy (with hard walls), weight and smooth log-weight of one sample."""
    if field.constraint is not None:
        lhs, rhs = field.constraint.gts, field.constraint.lts
        energy = sp.Piecewise((0, field.constraint), (sp.oo, True))
        return energy, sp.Heaviside(lhs - rhs), None
    if field.loss is not None:
        loss = stabilise(field.loss)
        return loss, sp.exp(-beta * loss), -beta * loss
    if isinstance(field.likelihood, (LinearLabels, DeterministicLabels)):
        return None, None, None  # their own closed form
    likelihood = field.likelihood
    if isinstance(likelihood, DiscreteLabels):
        likelihood = likelihood.likelihood(field.h)
    if field.label is not None and has_sign_labels(field):
        likelihood = signs_inside(likelihood, field.label)
    return None, likelihood, None


def potential_of(
    zero_temperature: bool,
    energy: sp.Expr | None,
    weight: sp.Expr | None,
    log_weight: sp.Expr | None,
    field: Field,
    student: sp.Symbol,
    w: sp.Symbol,
    spread: sp.Expr,
    unit: sp.Symbol | None,
) -> tuple[Smoothed, sp.Expr | None]:
    """Return the smoothed potential and, at zero temperature, the trained field."""
    if isinstance(field.likelihood, DeterministicLabels):
        return _preimage_potential(field.likelihood, w, spread), None
    if isinstance(field.likelihood, LinearLabels):  # two Gaussians: the variances add up
        total = field.likelihood.variance + spread
        log = -(w**2) / (2 * total) - sp.log(2 * sp.pi * total) / 2
        return Smoothed(log, -w / total, -1 / total), None
    if not zero_temperature:
        if weight is None:
            assert log_weight is not None
            weight = sp.exp(log_weight)
        # With continuous labels the average over the field is nested in the one over the label.
        one_dimensional = w == RESIDUAL or not isinstance(field.labels, CONTINUOUS)
        convex = energy is not None and one_dimensional and _is_convex(energy, student, field)
        if unit is not None and log_weight is not None and log_weight.has(sp.Piecewise, sp.Abs):
            margin = simplify_signs(log_weight.subs(student, unit * student), unit)
            if unit not in margin.free_symbols:  # a function of the margin: pieces for one label
                smoothed = smooth(margin, sp.exp(margin), student, w, spread, None, convex)
                return smoothed.of_margin(w, unit), None
        return smooth(log_weight, weight, student, w, spread, unit, convex), None
    assert energy is not None
    if energy.is_polynomial(student) and sp.degree(energy, student) <= 2:
        poly = sp.Poly(energy, student)
        a, b, c = (poly.coeff_monomial(student**k) for k in (2, 1, 0))
        denominator = 1 + 2 * a * spread
        score = -(2 * a * w + b) / denominator
        # Over one denominator the terms make a square: shorter, and nothing cancels.
        envelope = sp.factor((a * w**2 + b * w - spread * b**2 / 2) / denominator + c)
        slope, trained = -2 * a / denominator, (w - spread * b) / denominator
        if unit is not None:
            score, envelope, slope, trained = (
                simplify_signs(e, unit) for e in (score, envelope, slope, trained)
            )
        return Smoothed(-envelope, score, slope), trained
    _check_convex(energy, student, field)
    prox = Proximal(energy, student, w, spread)
    slope = (prox.same(ProximalSlope) - 1) / spread
    return Smoothed(-prox.same(MoreauEnvelope), (prox - w) / spread, slope), prox


def _check_convex(energy: sp.Expr, student: sp.Symbol, field: Field) -> None:
    for label in _sample_labels(field):
        for sample in sample_values(energy, student):
            values: dict[sp.Symbol, sp.Expr | float] = {**sample}
            if field.label is not None:
                values[field.label] = label
            require_convex(energy, student, values)


def _sample_labels(field: Field) -> tuple[sp.Expr, ...]:
    labels: tuple[sp.Expr, ...] = (sp.Rational(7, 10),)
    if isinstance(field.labels, DiscreteLabels):
        labels = field.labels.values
    for law in field.clusters.values():
        labels = tuple(map(sp.sympify, law))
    return labels


def sample_energies(field: Field) -> list[sp.Expr]:
    """The loss of one sample for every label, or for a typical one."""
    if field.loss is None:
        return []
    loss = stabilise(field.loss)
    if field.label is None:
        return [loss]
    return [loss.subs(field.label, label) for label in _sample_labels(field)]


def _is_convex(energy: sp.Expr, student: sp.Symbol, field: Field) -> bool:
    try:
        _check_convex(energy, student, field)
    except DerivationError:
        return False
    return True


def _preimage_potential(labels: DeterministicLabels, w: sp.Symbol, spread: sp.Expr) -> Smoothed:
    """Noiseless labels of several preimages: a sum of Gaussian densities."""
    teacher = labels.teacher
    function = labels.function.args[0] if isinstance(labels.function, sp.Abs) else labels.function
    slope = function.diff(teacher)
    terms = []
    for root in labels.preimages():
        jacobian = sp.simplify(sp.Abs(slope.subs(teacher, root)))
        terms.append(-((root - w) ** 2) / spread / 2 - sp.log(jacobian))
    common = -sp.log(2 * sp.pi * spread) / 2
    if len(terms) == 2:
        mid, half = sp.expand(sum(terms) / 2), sp.expand((terms[0] - terms[1]) / 2)
        log = mid + sp.log(2) + stabilise(sp.log(sp.cosh(half))) + common
    else:
        log = LogSumExp(*terms) + common
    score = log.diff(w)
    return Smoothed(log, score, score.diff(w))


def has_sign_labels(field: Field) -> bool:
    """Return whether the labels of a field are signs."""
    if isinstance(field.labels, DiscreteLabels):
        return {v**2 for v in field.labels.values} == {sp.S.One}
    return any({sp.sympify(v) ** 2 for v in law} == {sp.S.One} for law in field.clusters.values())
