"""The field piece of the free entropy: one declared `Field` becomes its averages.

For each field the calculus (section 3) needs ``E f``, ``E g_0 g``, ``E g**2``, ``E g'`` and
``E g'**2``, where ``f`` is the log of the smoothed weight (finite temperature) or minus the Moreau
envelope of the loss (zero temperature), ``g = f'``, and the average runs over the student's field
``omega`` and over the labels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sympy as sp

from replica.calculus.convex import curvature_bound
from replica.calculus.nodes import Average, MoreauEnvelope
from replica.calculus.special import stabilise, without_branches
from replica.declare.fields import DeterministicLabels, Field, LinearLabels
from replica.declare.symbols import V, beta, chi, m, q
from replica.derive.field_average import (
    OMEGA,
    RESIDUAL,
    Averaging,
    field_averages,
    joint_average,
)
from replica.derive.local_potential import (
    CONTINUOUS,
    has_sign_labels,
    potential_of,
    sample_energies,
    weight_of,
)
from replica.derive.smoothing import ETA, Smoothed
from replica.errors import DerivationError


@dataclass(frozen=True)
class FieldTerms:
    """What one field contributes, before multiplication by its load."""

    value: sp.Expr
    m_conjugate: sp.Expr
    q_conjugate: sp.Expr
    V_conjugate: sp.Expr
    replicon: sp.Expr
    channel: Channel

    def derivative(self, scalar: sp.Symbol) -> sp.Expr:
        """Derivative of the field piece with respect to an extremised scalar."""
        return self.channel.derivative(scalar)


@dataclass(frozen=True)
class Channel:
    """The local problem of one field: its potential and its average over field and labels.

    ``variable`` is the integration variable: the student's field ``omega``, or the residual
    ``h - y`` where only that matters.
    """

    field: Field
    potential: Smoothed
    variable: sp.Symbol
    mean: sp.Expr
    average: Averaging
    teacher_score: Averaging
    response: sp.Expr | None  # where training moves the field (zero temperature)
    weight: sp.Expr | None
    spread: sp.Expr
    joint: Averaging

    def test(self, expression: sp.Expr) -> sp.Expr:
        """Average over a new sample, with the predictor's field."""
        labels = self.field.labels
        if labels is not None and labels.teacher in expression.free_symbols:
            return self.joint(without_branches(stabilise(expression)))
        return self.average(self._local(expression, self.variable))

    def train(self, expression: sp.Expr) -> sp.Expr:
        """Average over the training samples."""
        if self.response is not None:
            trained = self._local(expression, self.response)
            if trained.is_rational_function(*trained.free_symbols):
                trained = sp.factor(trained)
            return self.average(trained)
        if self.potential.sample is not None:
            noisy, weight = self.potential.sample
        elif self.weight is None:
            raise DerivationError(
                f"field {self.field.h}: Train averages need a loss, a constraint or a discrete "
                "likelihood at finite temperature."
            )
        else:
            noisy = self.variable + sp.sqrt(self.spread) * ETA
            weight = self.weight.subs(self._student, noisy)
        top = Average(self._local(expression, noisy) * weight, ETA)
        return self.average(top / Average(weight, ETA))

    def derivative(self, scalar: sp.Symbol) -> sp.Expr:
        """Derivative of the averaged potential with respect to an extremised scalar."""
        inner = self.potential.derivative(scalar) + self.mean.diff(scalar) * self.potential.score
        return self.average(inner)

    def step(self, scalar: sp.Symbol) -> sp.Expr:
        """Step of an extremised scalar over the slope of the potential in it.

        The inverse of the largest curvature of the averaged potential: ``spread + 1/c`` for a
        loss of curvature ``c``. Without ``1/c`` a scalar would stand still at a small spread.
        """
        deviation = sp.sqrt(self.field.variance * q)
        bounds = [
            curvature_bound(energy, self.field.h, scalar, deviation)
            for energy in sample_energies(self.field)
        ]
        if not bounds or None in bounds:
            return self.spread
        scale = beta if self.response is None else sp.S.One
        return self.spread + 1 / (scale * sp.Max(*bounds))

    @property
    def _student(self) -> sp.Symbol:
        return RESIDUAL if self.variable == RESIDUAL else self.field.h

    def _local(self, expression: sp.Expr, value: sp.Expr) -> sp.Expr:
        labels = self.field.labels
        expression = without_branches(stabilise(expression))
        if self.variable == RESIDUAL:
            assert isinstance(labels, LinearLabels)
            residual = expression.subs(labels.label, self.field.h - RESIDUAL)
            if self.field.h in residual.free_symbols:
                raise DerivationError(
                    f"the observable of {expression} depends on the label and the field "
                    "separately, but the field's weight only on their difference."
                )
            return residual.subs(RESIDUAL, value)
        result = expression.subs(self.field.h, value)
        if isinstance(labels, DeterministicLabels):
            result = result.subs(labels.label, labels.function)
        return result


def scalar_update(
    scalar: sp.Symbol, fields: Iterable[tuple[sp.Expr, Channel, sp.Expr]], other: sp.Expr
) -> tuple[sp.Expr, sp.Expr]:
    """Move an extremised scalar along ``sum load slope + other``, its slope of the free entropy.

    ``fields`` are ``(load, channel, slope)``. A single field sets the step, whatever its load.

    Returns
    -------
    update, condition : Expr
        The moved scalar, and what vanishes where it stands still.
    """
    moving = [(load, channel, slope) for load, channel, slope in fields if slope != 0]
    rate = moving[0][1].step(scalar) / moving[0][0] if moving else sp.S.One
    slopes = [load * slope for load, _, slope in moving]
    condition = sp.Add(*slopes, other)
    if len(moving) == 1 and other == 0:
        condition = moving[0][2]
    return scalar + sp.Add(*(rate * slope for slope in (*slopes, other))), condition


def field_terms(
    field: Field, *, zero_temperature: bool, self_teacher: sp.Expr | None, reduced: bool
) -> FieldTerms:
    """Work out the averages of one field.

    Parameters
    ----------
    field : Field
    zero_temperature : bool
    self_teacher : Expr or None
        Second moment ``R`` of the quenched variable.
    reduced : bool
        Whether the Bayes-optimal identities ``m = q``, ``R - q = V`` are used.
    """
    channel = build_channel(
        field, zero_temperature=zero_temperature, self_teacher=self_teacher, reduced=reduced
    )
    f, average = channel.potential, channel.average
    delta = field.variance
    m_conjugate = average(field.mean.diff(m) * f.score) if field.mean.has(m) else sp.S.Zero
    if field.labels is not None:
        m_conjugate += delta * channel.teacher_score(f.score)
    return FieldTerms(
        value=average(f.log),
        m_conjugate=m_conjugate,
        q_conjugate=delta * average(f.score**2),
        V_conjugate=-delta * average(f.slope),
        replicon=delta**2 * average(f.slope**2),
        channel=channel,
    )


def build_channel(
    field: Field, *, zero_temperature: bool, self_teacher: sp.Expr | None, reduced: bool
) -> Channel:
    """Find the local potential, the integration variable and the averages of one field."""
    labels = field.labels
    spread = field.variance * (chi if zero_temperature else V)
    variance = field.variance * q
    student, variable = field.h, OMEGA
    energy, weight, log_weight = weight_of(field)
    if isinstance(field.likelihood, LinearLabels):
        student = variable = RESIDUAL
    elif isinstance(labels, LinearLabels):
        in_residual = [
            None if e is None else e.subs(labels.label, field.h - RESIDUAL)
            for e in (energy, weight, log_weight)
        ]
        if not any(e is not None and field.h in sp.expand(e).free_symbols for e in in_residual):
            energy, weight, log_weight = in_residual
            student = variable = RESIDUAL
    unit = field.label if has_sign_labels(field) else None
    potential, response = potential_of(
        zero_temperature, energy, weight, log_weight, field, student, variable, spread, unit
    )
    nested = isinstance(labels, CONTINUOUS) and variable == OMEGA
    if nested and potential.log.has(MoreauEnvelope):
        raise DerivationError(
            f"field {field.h}: at zero temperature a loss must depend on continuous labels through "
            f"the residual {field.label} - {field.h} only, or be quadratic in {field.h}."
        )
    average, teacher_score = field_averages(field, variable, variance, self_teacher, reduced, unit)

    def joint(expression: sp.Expr) -> sp.Expr:
        assert self_teacher is not None
        return joint_average(field, expression, self_teacher, reduced)

    return Channel(
        field,
        potential,
        variable,
        field.mean,
        average,
        teacher_score,
        response,
        weight,
        spread,
        joint,
    )
