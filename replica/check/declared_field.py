"""One declared field by brute force: its weight, labels and clusters as they stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from replica.check import plain
from replica.declare.fields import DeterministicLabels, DiscreteLabels, Field, LinearLabels
from replica.declare.symbols import m

if TYPE_CHECKING:
    from replica.check.declared import DeclaredFreeEntropy

Array = NDArray[np.float64]
Numbers = Mapping[sp.Symbol, float]


class DeclaredField:
    """The local free entropy of one field, averaged, at given overlaps."""

    def __init__(
        self, whole: DeclaredFreeEntropy, item: Field, values: Numbers, overlap: float,
        spread: float,
    ) -> None:  # fmt: skip
        self.whole, self.item, self.values = whole, item, dict(values)
        self.variance = whole.number(item.variance)
        self.own, self.spread = self.variance * overlap, self.variance * spread
        self.common = self.variance * values[m]
        quenched = whole.system.quenched
        self.teacher = np.nan
        if quenched is not None:
            moments, total = sp.S.Zero, sp.S.Zero
            for weight, mean, variance in quenched.law.components:
                moments, total = moments + weight * (mean**2 + variance), total + weight
            metric = whole.system.thermal.metric
            self.teacher = self.variance * whole.sites.mean(metric * moments / total)
            if quenched.self_overlap is not None:
                self.teacher = self.variance * whole.sites.mean(quenched.self_overlap)

    def average(self) -> tuple[float, float]:
        """Average the local free entropy over the field, labels and clusters."""
        labels, item = self.item.labels, self.item
        if isinstance(labels, DiscreteLabels):
            return self._sum([self._discrete(labels, y) for y in labels.values])
        if labels is not None:
            return self._continuous(labels)
        if not item.clusters:
            return self._over_field({})
        ((cluster, law),) = item.clusters.items()
        parts = []
        for value, chance in law.items():
            part, error = self._over_field({cluster: float(value)})
            weight = self.whole.number(chance, self.values)
            parts.append((weight * part, weight * error))
        return self._sum(parts)

    @staticmethod
    def _sum(parts: list[tuple[float, float]]) -> tuple[float, float]:
        return sum(value for value, _ in parts), sum(error for _, error in parts)

    def _mean(self, label: Numbers) -> float:
        return self.whole.number(self.item.mean, {**self.values, **label})

    def _over_field(self, label: Numbers) -> tuple[float, float]:
        local = self._local(label)
        return plain.normal_average(local, self._mean(label), float(np.sqrt(self.own)))

    def _discrete(self, labels: DiscreteLabels, y: sp.Expr) -> tuple[float, float]:
        """One label's part: its probability given the student's field times the potential."""
        label = {labels.label: float(y)}
        local, z = self._local(label), labels.teacher
        channel = labels.probability.subs({**self.whole.parameters, **self.values, **label})
        probability = self.whole.function([z], channel, {})
        breaks = plain.break_points(channel, z)
        width = float(np.sqrt(self.teacher - self.common**2 / self.own))
        mean = self._mean(label)

        def weighted(w: Array) -> Array:
            centre = self.common / self.own * (w - mean)

            def log_joint(x: Array) -> Array:
                normal = -(((x - centre[:, None]) / width) ** 2) / 2
                return normal + np.log(probability(x))

            logs = plain.log_integral(log_joint, centre, width, breaks)
            chance = np.exp(logs) / width / np.sqrt(2 * np.pi)
            return np.where(chance > 0, chance * local(w), 0.0)

        return plain.normal_average(weighted, mean, float(np.sqrt(self.own)))

    def _continuous(self, labels: LinearLabels | DeterministicLabels) -> tuple[float, float]:
        """Labels drawn first, then the student's field given the teacher's."""
        source = self.teacher
        if isinstance(labels, LinearLabels):
            source += self.whole.number(labels.variance, self.values)
            if self._of_residual(labels):
                total = source - 2 * self.common + self.own
                local = self._local({labels.label: 0.0})
                return plain.normal_average(local, self._mean({}), float(np.sqrt(total)))
        slope = self.common / source
        width = float(np.sqrt(self.own - slope * self.common))
        errors = [0.0]
        heard = sp.S.NaN if isinstance(labels, LinearLabels) else labels.function
        function = self.whole.function([labels.teacher], heard, self.values)

        def given_source(x: Array) -> Array:
            means = []
            for place in x:
                y = float(place)
                if isinstance(labels, DeterministicLabels):
                    y = float(function(y))
                label = {labels.label: y}
                centre = self._mean(label) + slope * float(place)
                mean, error = plain.normal_average(self._local(label), centre, width, 1e-8)
                means.append(mean)
                errors.append(error)
            return np.array(means)

        value, error = plain.normal_average(
            given_source, 0.0, float(np.sqrt(source)), tolerance=1e-8, most=512
        )
        return value, error + max(errors)

    def _of_residual(self, labels: LinearLabels) -> bool:
        """Whether the weight sees ``y - h`` only, to judge from shifted arguments."""
        places = np.array([-1.7, -0.4, 0.2, 0.9, 2.3])
        weights = [
            self._log_weight({labels.label: y}, places + y) for y in (0.0, 0.613, -1.371, 2.94)
        ]
        return all(np.allclose(w, weights[0], rtol=1e-12, atol=1e-12) for w in weights)

    # -- one sample --------------------------------------------------------------------------

    def _local(self, label: Numbers) -> plain.Function:
        """``log E_eta W(y, w + sqrt(V) eta)``, at zero temperature minus the Moreau envelope."""
        if isinstance(self.item.likelihood, DeterministicLabels):
            return self._preimages(self.item.likelihood, label)
        width, zero = float(np.sqrt(self.spread)), self.whole.zero
        log_weight = self._weight(label)
        breaks = [] if zero else plain.break_points(self._declared(label), self.item.h)

        def local(w: Array) -> Array:
            def log_joint(x: Array) -> Array:
                return log_weight(x) - ((x - w[:, None]) / width) ** 2 / 2

            if zero:
                return -plain.minimum(lambda x: -log_joint(x), w, width)
            logs = plain.log_integral(log_joint, w, width, breaks)
            return logs - np.log(width) - np.log(2 * np.pi) / 2

        return local

    def _declared(self, label: Numbers) -> sp.Basic:
        item = self.item
        weight = next(w for w in (item.loss, item.constraint, item.likelihood) if w is not None)
        if isinstance(weight, LinearLabels):
            y, noise = weight.label, weight.variance
            weight = sp.exp(-((y - item.h) ** 2) / (2 * noise)) / sp.sqrt(2 * sp.pi * noise)
        elif isinstance(weight, DiscreteLabels):
            weight = weight.probability.subs(weight.teacher, item.h)
        return weight.subs({**self.whole.parameters, **self.values, **label})

    def _weight(self, label: Numbers) -> plain.Function:
        """Log of one sample's weight as a function of ``h``."""
        declared, h = self._declared(label), self.item.h
        if self.item.constraint is not None:
            excess = self.whole.function([h], declared.gts - declared.lts, {})
            return lambda x: np.where(excess(x) >= 0, 0.0, -np.inf)
        scale = 1.0 if self.whole.zero else self.whole.beta
        if self.item.loss is not None:
            loss = self.whole.function([h], declared, {})
            return lambda x: -scale * loss(x)
        log = sp.expand_log(sp.log(declared), force=True)  # an exponential must not overflow
        likelihood: plain.Function = self.whole.function([h], log, {})
        return likelihood

    def _log_weight(self, label: Numbers, x: Array) -> Array:
        with np.errstate(all="ignore"):
            return self._weight(label)(x)

    def _preimages(self, labels: DeterministicLabels, label: Numbers) -> plain.Function:
        """Labels without noise: the density of the field at every place that gives the label."""
        key = (labels, label[labels.label])
        if key not in self.whole.preimages:
            h = self.item.h
            gap = labels.function.subs(labels.teacher, h) - label[labels.label]
            function = self.whole.function([h], gap, self.values)
            slope = self.whole.function([h], gap.diff(h), self.values)
            places = plain.roots(function)
            slopes = [abs(float(slope(place))) for place in places]
            self.whole.preimages[key] = places, slopes
        places, slopes = self.whole.preimages[key]

        def local(w: Array) -> Array:
            logs = [
                -((place - w) ** 2) / self.spread / 2 - np.log(rise)
                for place, rise in zip(places, slopes, strict=True)
            ]
            result: Array = np.logaddexp.reduce(logs) - np.log(2 * np.pi * self.spread) / 2
            return result

        return local
