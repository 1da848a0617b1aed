"""Single-site averages of mixture priors keep their digits where the components are far apart."""

import mpmath as mp
import pytest

from replica import load


def test_posterior_variance_of_a_gauss_bernoulli_signal_without_noise():
    """At a conjugate of 1e7 the plain second derivative of the log-sum has no correct digit."""
    rho, alpha, noise = 0.4, 0.6, 1e-8
    solution = load("compressed-sensing").solve(alpha=alpha, rho=rho, Delta=noise)
    hat = mp.mpf(alpha) / (noise + mp.mpf(solution["V"]))

    def variance(field):
        odds = rho / (1 - rho) * mp.exp(field**2 / (2 * (1 + hat))) / mp.sqrt(1 + hat)
        share = odds / (1 + odds)
        return share / (1 + hat) + share * (1 - share) * (field / (1 + hat)) ** 2

    with mp.workdps(30):
        width = mp.sqrt(2 * hat * mp.log(hat))
        expected = 0
        for weight, spread in ((rho, mp.sqrt(hat + hat**2)), (1 - rho, mp.sqrt(hat))):
            points = [0, width / 2, width, 2 * width, 8 * width, spread + 8 * width, 12 * spread]
            integral = mp.quad(
                lambda x, spread=spread: variance(x) * mp.npdf(x, 0, spread), sorted(points)
            )
            expected += 2 * weight * integral
    assert solution["V"] == pytest.approx(float(expected), rel=1e-12)
