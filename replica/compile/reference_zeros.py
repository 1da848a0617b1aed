"""Unknowns of a solution that are zero by a symmetry, and those that are only tiny."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from replica.compile.reference_fixed_point import (
    CUT_MASS,
    VANISHING_SIZE,
    ZERO_SIZE,
    largest_real_part,
)
from replica.compile.reference_iteration import FOLLOWED_RESIDUAL, Iteration
from replica.compile.reference_quadrature import RuleMode

Array = NDArray[np.float64]


class Zeros(Iteration):
    """An iteration that settles what is next to zero before and while it is certified."""

    x: Array
    error: Array

    def settle_zeros(self, f: Array) -> Array:
        """Put unknowns on their way to zero there; return F(x) - x.

        They are tiny, a symmetry keeps them, and damping leads back to it. What the map reproduces
        from zero is a small number, and stays.
        """
        small = np.abs(self.x) < np.where(self.crosses, VANISHING_SIZE, ZERO_SIZE)
        settles = (self.x != 0) & small & (self.lower <= 0) & self.vanishing
        rounding = np.maximum(1e-2 * np.abs(self.x), np.where(self.crosses, ZERO_SIZE, 0))
        while np.any(settles):
            y = np.where(settles, 0.0, self.x)
            g = self.evaluate_as_is(RuleMode.FROZEN, y)
            if self.rule.lost:
                return f
            stays = settles & ~(np.abs(g) < rounding)
            if not np.any(stays):
                break
            settles &= ~stays
        else:
            return f
        g = self.evaluate_as(RuleMode.FROZEN, y)
        if not self.residual(y, g) < FOLLOWED_RESIDUAL or np.any(g[y == 0] != 0):
            return f
        jacobian = self.differentiate(y, g, central=True)
        if jacobian is None or not largest_real_part(jacobian, self.x, f) < 1:
            return f
        self.x = y
        return g

    def settle_positive(self, noise: Array) -> None:
        """Iterate the map once more where unknowns are positive and tiny.

        Convergence and errors are judged as if they were zero. Their errors include all that the
        cut tails of the averages might have added.
        """
        tiny = ~self.vanishing & (np.abs(self.x) < ZERO_SIZE)
        g = self.evaluate_as(RuleMode.FINE, self.x) if np.any(tiny) else np.zeros(len(self.x))
        if not (np.any(tiny) and np.all(np.isfinite(g))):
            return
        size = np.max(np.abs(self.x), initial=1.0)
        self.error = np.where(tiny, np.abs(g) + noise + CUT_MASS * size, self.error)
        image = self.x + g
        # What shrinks may vanish in a limit only.
        steady = tiny & (image >= 0.5 * self.x) & (image < ZERO_SIZE)
        self.x = np.where(steady, image, self.x)
