"""Points that fail, and the ladder that may rescue them."""

import numpy as np
import sympy as sp

import replica
from replica import FunctionalModel, OrderParameter, Parameter, SolverSettings
from replica.scan import converged, failures, failures_text, scan, status_counts
from replica.scan.retry import ladder


def test_the_ladder_becomes_more_careful():
    settings = ladder(SolverSettings(damping=0.9, inner_panels=40, max_evaluations=10**7))
    assert settings[0] == SolverSettings(damping=0.9, inner_panels=40, max_evaluations=10**7)
    assert [s.damping for s in settings] == [0.9, 0.9, 0.95]
    assert [s.acceleration for s in settings] == [True, True, False]
    assert [s.max_evaluations for s in settings] == [10**7, 5 * 10**7, 10**8]
    assert [s.inner_panels for s in settings] == [40, 64, 64]
    assert [s.max_refinements for s in settings] == [4, 6, 8]


def test_more_evaluations_rescue_points_and_the_result_is_the_careful_one(tmp_path, solved):
    model = replica.load("gaussian-mixture-logistic")
    hasty = SolverSettings(max_evaluations=12)
    options = {
        "lam": [0.01, 1.0], "alpha": np.linspace(0.5, 4, 9), "settings": hasty, "progress": False,
        "warm_start": False, "store": tmp_path / "s.sqlite",
    }  # fmt: skip
    first = model.scan(**options)
    lost = ~converged(first)
    assert lost.any()
    assert converged(first).any()
    again = model.scan(**options, retry=True)
    assert converged(again).all()
    assert np.all((again["retry"] > 0) == lost)
    careful = model.scan(lam=[0.01, 1.0], alpha=options["alpha"], progress=False)
    np.testing.assert_allclose(again["m"], careful["m"], rtol=1e-9)
    for name in ("m", "test_error", "evaluations"):
        kept = again[name].values[~lost.values]
        np.testing.assert_array_equal(kept, first[name].values[~lost.values])
    solved.clear()
    model.scan(**options, retry=True)
    assert not solved


def test_a_neighbour_rescues_where_the_own_start_leads_nowhere():
    """The flow (x - a) (x - c) is stable at x = a and runs away beyond c, where some starts are."""
    x = sp.Symbol("x", real=True)
    a = Parameter("a", 0.5, (0, 1))
    c = a + sp.Rational(3, 10)
    model = FunctionalModel(
        name="runaway",
        free_entropy=x**3 / 3 - (a + c) * x**2 / 2 + a * c * x,
        order_parameters=[OrderParameter(x, rate=1, domain=(-1, 2), start=sp.Rational(1, 2))],
    )
    grid = np.linspace(0.06, 0.41, 15)
    alone = scan(model, {"a": grid}, warm_start=False, progress=False)
    np.testing.assert_array_equal(converged(alone), grid + 0.3 > 0.5)
    retried = scan(model, {"a": grid}, warm_start=False, retry=True, progress=False)
    assert converged(retried).all()
    np.testing.assert_allclose(retried["x"], grid, rtol=1e-9)
    np.testing.assert_array_equal(retried["retry"] == 0, converged(alone))
    # The first rung of the ladder is enough, from one neighbour to the next.
    assert int(retried["retry"].max()) == 1


def test_hopeless_points_stay_flagged_and_are_listed(model):
    ds = scan(model, {"h": [1.0, 6.0, 7.0, 8.0]}, {"beta": 2.0}, retry=True, progress=False)
    assert status_counts(ds) == {"converged": 1, "not converged": 3}
    assert ds["retry"].values.tolist() == [0, 0, 0, 0]
    assert failures(ds).to_dict("list") == {"h": [6.0, 7.0, 8.0], "status": ["not converged"] * 3}
    text = failures_text(ds, 2).splitlines()
    assert text == [
        "Without a certified solution:",
        "  h = 6: not converged",
        "  h = 7: not converged",
        "  and 1 more, flagged in the data",
    ]
    without = scan(model, {"h": [1.0, 6.0]}, progress=False)
    assert failures_text(without).endswith("--retry, or retry=True.")
    assert failures_text(scan(model, {"h": [1.0]}, progress=False)) == ""
