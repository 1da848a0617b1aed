"""Critical points and lines against closed forms, published numbers and independent evaluations."""

import math

import numpy as np
import pytest
import sympy as sp
from scipy.optimize import brentq
from scipy.stats import norm
from transitions import (
    Spike,
    Teacher,
    almeida_thouless,
    cold_load,
    equal_free_energies,
    retrieval_end,
    retrieval_meeting,
    retrieval_replicon,
    top,
)

from replica import SolverSettings, Transition, load
from replica.errors import ConvergenceError, ParameterError


def relative(found, exact):
    """Largest relative deviation."""
    return float(np.max(np.abs(np.asarray(found) / np.asarray(exact) - 1)))


# -- Hopfield -------------------------------------------------------------------------------------


def test_hopfield_at_zero_temperature_ends_at_the_known_capacity():
    # Amit, Gutfreund & Sompolinsky, Ann. Phys. 173, 30 (1987): 0.138.
    found = load("hopfield-zero-temperature").boundary("spinodal", "alpha")
    assert isinstance(found, Transition)
    assert found.converged
    assert found["alpha"] == pytest.approx(top(cold_load, 1, 2), rel=1e-13)
    assert found["alpha"] == pytest.approx(0.137905566, abs=1e-9)
    assert found["m"] == pytest.approx(0.96741711568, abs=1e-10)
    assert found.stability == pytest.approx(1, abs=1e-10)
    assert found.error["alpha"] < 1e-12


def test_hopfield_spin_glass_line_is_that_of_the_closed_form():
    line = load("hopfield").boundary(
        "second-order", "T", along="alpha", over=(1e-4, 0.5), bracket=(1.005, 3)
    )
    exact = 1 + np.sqrt(line["alpha"])
    assert all(point.converged for point in line.points)
    assert relative(line["T"], exact) < 1e-11
    assert np.all(np.abs(line["T"] - exact) <= line.error("T") + 1e-15)
    assert (line["alpha"][0], line["alpha"][-1]) == (1e-4, 0.5)
    assert line.ends == ("alpha reaches 0.0001", "alpha reaches 0.5")
    assert np.all(line["q"] == 0)


def test_hopfield_retrieval_spinodal():
    temperatures = [0.05, 0.2, 0.5, 0.8, 0.9]
    line = load("hopfield").boundary("spinodal", "alpha", along="T", over=temperatures)
    assert list(line["T"]) == temperatures
    assert relative(line["alpha"], [retrieval_end(T) for T in temperatures]) < 1e-10


def test_the_spinodal_of_hopfield_is_reentrant():
    # The largest load is not at T = 0; following T along alpha passes through the turning point.
    line = load("hopfield").boundary(
        "spinodal", "T", along="alpha", over=(0.137, 0.14), within=(0.01, 1), bracket=(0.03, 0.1),
        alpha=0.1375,
    )  # fmt: skip
    assert line.ends == ("alpha reaches 0.137", "T reaches 0.01")
    alpha, T = line["alpha"], line["T"]
    highest = int(np.argmax(alpha))
    assert 0 < highest < len(line) - 1
    assert alpha[highest] == pytest.approx(0.1381885, abs=1e-6)
    assert T[highest] == pytest.approx(0.0229, abs=5e-3)
    below = T < 0.0225
    assert below.any()
    assert (T > 0.0235).any()
    for point in (line.points[2], line.points[-3]):
        assert point["alpha"] == pytest.approx(retrieval_end(point["T"]), rel=1e-9)


def test_hopfield_first_order_line():
    temperatures = [0.1, 0.2, 0.4]
    line = load("hopfield").boundary("first-order", "alpha", along="T", over=temperatures)
    exact = [
        equal_free_energies(T, low / T, high / T)
        for T, low, high in ((0.1, 0.2, 0.26), (0.2, 0.2, 0.25), (0.4, 0.17, 0.24))
    ]
    assert relative(line["alpha"], exact) < 1e-9
    glass = [point.coexisting for point in line.points]
    assert all(one["m"] == 0 < one["q"] for one in glass)
    gaps = [p.free_entropy - g.free_entropy for p, g in zip(line.points, glass, strict=True)]
    assert np.max(np.abs(gaps)) < 1e-12
    assert {one.branch for one in line.points} == {"informed"}
    assert {one.branch for one in glass} == {"uninformed"}


def test_hopfield_first_order_line_at_zero_temperature():
    # Amit et al. (1987) give 0.051; energies of both phases in closed form.
    def energy(load_, y):
        # E = (alpha (1 - r) - m^2)/2, up to the constant of the self-couplings
        r = (erf(y) / y) ** 2 / (2 * load_)
        return (load_ * (1 - r) - erf(y) ** 2) / 2

    from scipy.special import erf

    def gap(y):
        at = cold_load(y)
        return energy(at, y) + 1 / math.pi + math.sqrt(2 * at / math.pi)

    exact = cold_load(brentq(gap, 2.5, 4, xtol=1e-14))
    found = load("hopfield-zero-temperature").boundary("first-order", "alpha")
    assert found["alpha"] == pytest.approx(exact, rel=1e-11)
    assert found["alpha"] == pytest.approx(0.0518543, abs=1e-7)


def test_hopfield_replicon_of_retrieval_vanishes_on_a_line_that_meets_the_spinodal():
    line = load("hopfield").boundary("replicon", "alpha", along="T", over=(0.01, 0.1), T=0.015)
    assert line.ends == ("T reaches 0.01", "a phase meets its spinodal")
    for point in line.points[:: len(line) // 4]:
        assert point["alpha"] == pytest.approx(retrieval_replicon(point["T"]), rel=1e-9)
    last = line.points[-1]
    assert last.stability == pytest.approx(1, abs=1e-8)
    assert abs(last.replicon) < 1e-8
    T, load_ = retrieval_meeting()
    assert last["T"] == pytest.approx(T, rel=1e-9)
    assert last["alpha"] == pytest.approx(load_, rel=1e-9)


# -- Sherrington-Kirkpatrick ----------------------------------------------------------------------


def test_sherrington_kirkpatrick_freezes_at_one():
    found = load("sherrington-kirkpatrick").boundary("second-order", "T")
    assert found["T"] == pytest.approx(1, abs=1e-13)
    assert found["q"] == 0


def test_the_line_of_de_almeida_and_thouless():
    line = load("sherrington-kirkpatrick").boundary(
        "at", "h", along="T", over=(0.1, 1), bracket=(0.01, 1.5)
    )
    T, h = line["T"], line["h"]
    for i in range(0, len(line), len(line) // 6):
        if T[i] < 0.99:
            assert h[i] == pytest.approx(almeida_thouless(T[i], 0.9 * h[i], 1.1 * h[i]), rel=1e-9)
    near = (T > 0.99) & (T < 0.9999)
    tau = 1 - T[near]
    # h^2 = 4/3 tau^3 (1 + O(tau)), and the correction is of first order
    ratio = h[near] ** 2 / (4 / 3 * tau**3)
    assert np.all(np.abs(ratio - 1) < 3 * tau)
    assert line.ends[1].startswith("tends to a limit")
    assert all(point.converged for point in line.points)


def test_without_field_no_solution_has_a_vanishing_replicon_below_the_glass_temperature():
    model = load("sherrington-kirkpatrick")
    with pytest.raises(ConvergenceError, match=r"replicon = 0 was not met .* give a start="):
        model.boundary("replicon", "T", bracket=(0.3, 0.9))


# -- inference ------------------------------------------------------------------------------------


def test_binary_teacher():
    model = load("perceptron-rademacher")
    algorithmic = model.boundary("spinodal", "alpha", bracket=(1, 2))
    assert algorithmic["alpha"] == pytest.approx(top(lambda x: Teacher(x).load, 1, 4), rel=1e-9)
    assert algorithmic["alpha"] == pytest.approx(1.4926318182, abs=1e-9)
    # Against the teacher, of free entropy zero: Gyorgyi, Phys. Rev. A 41, 7097 (1990).
    jump = model.boundary("entropy", "alpha", bracket=(1, 1.4))
    qhat = brentq(lambda x: Teacher(x).free_entropy, 1, 2.5, xtol=1e-13)
    assert jump["alpha"] == pytest.approx(Teacher(qhat).load, rel=1e-9)
    assert jump["alpha"] == pytest.approx(1.2446839899, abs=1e-9)


def test_sparse_spike():
    # Spinodals and first-order line in the density of the spike.
    model, rho = load("spiked-wigner-sparse"), 0.05

    def ratio(log_s):
        return Spike(math.exp(log_s), rho).ratio

    upper = model.boundary("spinodal", "lam", start="informed", rho=rho)
    assert upper["lam"] == pytest.approx(-top(lambda x: -ratio(x), -4, 0), rel=1e-9)
    # The other phase has q = 0 and free entropy 0.
    log_s = brentq(lambda x: Spike(math.exp(x), rho).free_entropy, -2, 1, xtol=1e-13)
    jump = model.boundary("first-order", "lam", rho=rho, bracket=(0.3, 0.9))
    assert jump["lam"] == pytest.approx(ratio(log_s), rel=1e-9)
    assert jump.coexisting["q"] == 0
    continuous = model.boundary("second-order", "lam", rho=rho, bracket=(0.3, 3))
    assert continuous["lam"] == pytest.approx(1, abs=1e-11)


def test_the_spinodals_of_a_sparse_spike_meet_in_a_cusp():
    line = load("spiked-wigner-sparse").boundary(
        "spinodal", "lam", along="rho", over=(0.02, 0.5), rho=0.02, start="informed"
    )
    # From one spinodal over the cusp to the other, back at the first density.
    assert line["rho"][0] == line["rho"][-1] == 0.02
    assert line["lam"][0] < 0.2
    assert line["lam"][-1] > 1
    widest = int(np.argmax(line["rho"]))
    assert 0.27 < line["rho"][widest] < 0.275
    for point in line.points[:: len(line) // 5]:
        spike = Spike(point["lam"] * point["q"], point["rho"])
        assert spike.ratio == pytest.approx(point["lam"], rel=1e-9)
        step = 1e-4
        around = [Spike(spike.s * (1 + k), spike.rho).ratio for k in (-step, step)]
        assert abs(around[1] - around[0]) / (2 * step) < 1e-6


def test_a_first_order_line_ends_where_one_phase_becomes_unstable():
    line = load("spiked-wigner-sparse").boundary(
        "first-order", "lam", along="rho", over=(0.1, 0.5), rho=0.1, bracket=(0.4, 0.99)
    )
    assert line.ends == ("rho reaches 0.1", "a phase loses its stability")
    assert line.points[-1]["lam"] == pytest.approx(1, abs=1e-10)


def test_a_first_order_line_ends_where_two_phases_become_one():
    line = load("spiked-wigner-sparse").boundary(
        "first-order", "lam", along="rho", over=(0.25, 0.5), rho=0.25, lam=1.01,
        start=("informed", {"q": 1e-3, "V": 0.999}),
    )  # fmt: skip
    assert line.ends[1] == "the two phases become one (critical point)"
    last = line.points[-1]
    assert abs(last["q"] - last.coexisting["q"]) < 0.01


# -- capacity -------------------------------------------------------------------------------------


def gardner(margin):
    """Gardner, J. Phys. A 21, 257 (1988): 1/alpha = E max(0, kappa + z)^2."""
    return 1 / ((1 + margin**2) * norm.cdf(margin) + margin * norm.pdf(margin))


def test_the_capacity_of_spherical_weights():
    model = load("gardner-spherical")
    line = model.boundary("capacity", "alpha", along="kappa", over=(-1, 2))
    assert relative(line["alpha"], gardner(line["kappa"])) < 1e-12
    assert line.error("alpha").max() < 1e-12
    assert model.boundary("capacity", "alpha")["alpha"] == pytest.approx(2, rel=1e-13)
    # and the other way round
    margin = model.boundary("capacity", "kappa", alpha=1.2, bracket=(0, 2))
    assert gardner(margin["kappa"]) == pytest.approx(1.2, rel=1e-12)


SEPARABILITY = {  # theory of the Gaussian mixture: alpha* by (Delta, rho)
    0.5: {0.1: 539.0700029, 0.3: 14.2605451447, 0.5: 6.6628170989, 1: 3.7000334557,
          2: 2.7328837972, 3: 2.4657719702, 10: 2.1308742816, 100: 2.0127672562},
    0.2: {0.1: 684.6437946, 0.3: 18.3771966891, 0.5: 8.6510158659, 1: 4.8490376530,
          2: 3.6071182251, 3: 3.2643471442, 10: 2.8350795464, 100: 2.6839238397},
}  # fmt: skip


@pytest.mark.parametrize("rho", SEPARABILITY)
def test_separability_of_the_mixture(rho):
    table = SEPARABILITY[rho]
    line = load("gaussian-mixture-separability").boundary(
        "separability", "alpha", along="Delta", over=list(table), rho=rho
    )
    assert list(line["Delta"]) == list(table)
    assert relative(line["alpha"], list(table.values())) < 1e-10
    assert np.all(line.error("alpha") < 1e-10 * line["alpha"])


@pytest.mark.parametrize(
    ("load_", "rho", "Delta", "margin", "r"),
    [(1, 0.5, 1, 0.7671443876, 0.5291718034), (1, 0.2, 1, 0.9840117364, 0.4939260246),
     (3, 0.2, 1, 0.2611608091, 0.5801397034), (2, 0.5, 0.3, 0.4885332705, 0.7493816351)],
)  # fmt: skip
def test_hard_margin_of_the_mixture(load_, rho, Delta, margin, r):
    found = load("gaussian-mixture-separability").boundary(
        "capacity", "kappa", alpha=load_, rho=rho, Delta=Delta
    )
    assert found["kappa"] == pytest.approx(margin, abs=1e-10)
    assert found["m"] / math.sqrt(found["q"]) == pytest.approx(r, abs=1e-9)


def test_soft_fields_have_no_capacity():
    with pytest.raises(ParameterError, match="needs hard constraints"):
        load("gaussian-mixture-logistic").boundary("capacity", "alpha")


# -- conditions of one's own ----------------------------------------------------------------------


def test_entropy_of_binary_weights_vanishes_at_the_capacity_of_krauth_and_mezard():
    # Krauth & Mezard, J. Phys. France 50, 3057 (1989): alpha_c = 0.833.
    found = load("krauth-mezard").boundary("entropy", "alpha")
    assert found["alpha"] == pytest.approx(0.8330786, abs=1e-7)
    assert abs(found.free_entropy) < 1e-12


def test_a_condition_may_be_written_in_three_ways():
    model = load("gaussian-mixture-square-no-bias")
    test_error = sp.Symbol("test_error")
    forms = ("test_error=0.22", test_error - 0.22, sp.Eq(test_error, 0.22))
    found = [model.boundary(form, "lambda", bracket=(0.1, 10)) for form in forms]
    assert [one["test_error"] for one in found] == pytest.approx([0.22] * 3, abs=1e-13)
    ratio = sp.Symbol("m") ** 2 / sp.Symbol("q")
    one = model.boundary(ratio - 0.6, "lam", bracket=(0.1, 10))
    assert one["m"] ** 2 / one["q"] == pytest.approx(0.6, abs=1e-13)


def test_the_result_solves_the_plain_equations():
    model = load("gaussian-mixture-logistic")
    plain = model.solve(lam=0.3, rho=0.2)
    found = model.boundary(f"q={plain['q']!r}", "lam", rho=0.2, bracket=(0.01, 10))
    assert found["lam"] == pytest.approx(0.3, rel=1e-10)
    for name in ("m", "b", "free_entropy", "test_error", "qhat"):
        assert found[name] == pytest.approx(plain[name], rel=1e-9)
    again = model.boundary("q=2", "lam", rho=0.2, start=found)
    assert again["m"] == pytest.approx(model.solve(lam=again["lam"], rho=0.2)["m"], rel=1e-9)


def test_a_transition_is_followed_to_other_parameters_from_a_solution():
    model = load("hopfield")
    first = model.boundary("first-order", "alpha", T=0.3)
    second = model.boundary("first-order", "alpha", T=0.32, start=first)
    line = model.boundary("first-order", "alpha", along="T", over=[0.3, 0.31, 0.32], start=first)
    assert line["alpha"][-1] == pytest.approx(second["alpha"], rel=1e-12)
    fold = model.boundary("spinodal", "alpha", T=0.3)
    moved = model.boundary("spinodal", "alpha", T=0.31, start=fold)
    assert moved["alpha"] == pytest.approx(retrieval_end(0.31), rel=1e-10)


def test_nothing_is_found_beyond_a_fold():
    # The overlap of the binary teacher reaches 0.8936 before its branch turns back.
    with pytest.raises(ConvergenceError, match=r"turns back at alpha = 1\.49"):
        load("perceptron-rademacher").boundary("q=0.9", "alpha", bracket=(1.0, 1.8))


def test_a_solution_as_start_does_not_lead_beyond_a_fold_either():
    model, options = load("perceptron-rademacher"), {"bracket": (1.0, 1.8)}
    plain = model.solve(alpha=1.45)
    with pytest.raises(ConvergenceError, match=r"turns back at alpha = 1\.4"):
        model.boundary("q=0.9", "alpha", start=plain, **options)
    stable = model.boundary("q=0.86", "alpha", start=plain, **options)
    assert (stable.converged, stable.unstable) == (True, "")
    # A transition is followed directly, but not to where the phase is none.
    with pytest.raises(ConvergenceError, match=r"turns back at alpha = 1\.4"):
        model.boundary("q=0.9", "alpha", start=stable, **options)
    # From beyond the fold it is meant.
    middle = next(p for p in model.follow("alpha", until=(1.0, 1.8)).points if p.unstable)
    beyond = model.boundary(f"q={middle['q'] + 0.01!r}", "alpha", start=middle, **options)
    assert beyond.converged
    assert beyond.unstable


def test_a_spinodal_may_start_from_a_fold_of_a_branch():
    model = load("perceptron-rademacher")
    fold = model.follow("alpha", until=(1.0, 1.8)).folds[0]
    assert model.boundary("spinodal", "alpha", start=fold)["alpha"] == pytest.approx(
        fold["alpha"], rel=1e-12
    )


def test_a_coarse_quadrature_is_refined_until_the_point_is_certified():
    model, options = load("phase-retrieval"), {"bracket": (0.7, 1.0)}
    plain = model.boundary("q=0.3", "alpha", **options)
    coarse = SolverSettings(inner_panels=1, max_refinements=0)
    with pytest.raises(ConvergenceError, match="is not certified") as caught:
        model.boundary("q=0.3", "alpha", settings=coarse, **options)
    rough = caught.value.solution
    assert 1e-12 < abs(rough["alpha"] - plain["alpha"]) <= rough.error["alpha"]
    found = model.boundary("q=0.3", "alpha", settings=SolverSettings(inner_panels=1), **options)
    assert found.converged
    assert found["alpha"] == pytest.approx(plain["alpha"], abs=found.error["alpha"] + 1e-13)


def test_both_back_ends_agree():
    found = [
        load("hopfield").boundary("spinodal", "alpha", T=0.3, backend=name)["alpha"]
        for name in ("c", "numpy")
    ]
    assert found[0] == pytest.approx(found[1], rel=1e-12)


# -- the result -----------------------------------------------------------------------------------


def test_without_limits_a_line_ends_at_the_edge_of_the_domain():
    line = load("spiked-wigner-sparse").boundary("second-order", "lam", along="rho", step=0.5)
    assert line.ends[1] == "rho reaches 1"
    good = np.array([point.converged for point in line.points])
    assert good[line["rho"] > 1e-3].all()
    # At the other edge, rho = 0, the law has no limit: what is not exact is not certified.
    assert not good[np.abs(line["lam"] - 1) > 1e-8].any()


def test_the_spherical_p_spin_glass_has_replica_symmetric_solutions_below_a_known_temperature():
    # q/(1-q)^2 = p/2 q^(p-1) / T^2 for p = 3: a fold at q = 1/3, T^2 = 2/9.
    found = load("p-spin-spherical").boundary(
        "spinodal", "T", T=0.4, h=0, p=3, start={"q": 0.9, "V": 0.1}
    )
    assert found["T"] == pytest.approx(math.sqrt(2) / 3, rel=1e-13)
    assert found["q"] == pytest.approx(1 / 3, abs=1e-10)


def test_phase_retrieval_begins_at_one_half():
    # Weak recovery: Mondelli & Montanari, Found. Comput. Math. 19, 703 (2019), real signals.
    found = load("phase-retrieval").boundary("second-order", "alpha")
    assert found["alpha"] == pytest.approx(0.5, rel=1e-11)


def test_a_line_is_a_table():
    line = load("gardner-spherical").boundary(
        "capacity", "alpha", along="kappa", over=[0.0, 0.5, 1.0]
    )
    frame, ds = line.to_frame(), line.to_dataset()
    assert list(frame.columns[:2]) == ["kappa", "alpha"]
    assert list(frame["status"]) == ["converged"] * 3
    assert frame["alpha_uncertainty"].max() < 1e-12
    assert ds.sizes == {"point": 3}
    assert ds.attrs["condition"] == "capacity"
    assert ds.attrs["ends"] == "kappa reaches 1"
    assert ds["alpha"].values.tolist() == line["alpha"].tolist()
    assert "capacity, 3 points" in str(line)


def test_a_transition_shows_the_critical_parameter_and_both_phases():
    found = load("hopfield").boundary("first-order", "alpha")
    text = str(found)
    assert "first-order at alpha = 0.0507248765" in text
    assert "coexists with\nhopfield: converged (uninformed)" in text
    record = found.to_dict()
    assert record["critical"] == ["alpha"]
    assert record["coexisting"]["branch"] == "uninformed"


# -- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("q", "alpha", {"bracket": (1, 1)}), "expected low < high"),
        (("q", "alpha", {"bracket": 3}), "expected two numbers"),
        (("q", "alpha", {"bracket": (-1, 1)}), "outside its domain"),
        (("volume", "alpha", {}), "condition volume"),
        (("q=much", "alpha", {}), "'much' is not a number"),
        ((sp.Integer(3), "alpha", {}), "condition 3"),
        (("q", "beta", {}), "'beta' is unknown"),
        (("q", "alpha", {"gamma": 1}), "'gamma' is unknown"),
        (("q", "alpha", {"along": "alpha"}), "both the critical parameter and along"),
        (("q", "alpha", {"over": (0, 1)}), "over= and within= need along="),
        (("q", "alpha", {"along": "kappa", "over": "wide"}), "over: expected numbers"),
        (("q", "alpha", {"start": ("informed", "uninformed")}), "expected one start"),
        (("first-order", "alpha", {"start": "informed"}), "expected two starts"),
        (("q", "alpha", {"step": 2}), "a step up to 1"),
        (("volume", "alpha", {"along": "kappa", "over": (0, 1)}), "condition volume"),
        (("second-order", "alpha", {}), "keep no order parameter at zero"),
    ],
)
def test_ill_posed_questions_get_one_sentence(arguments, message):
    condition, parameter, options = arguments
    with pytest.raises(ParameterError, match=message) as caught:
        load("krauth-mezard").boundary(condition, parameter, **options)
    assert "\n" not in str(caught.value)


def test_two_starts_on_one_branch_are_no_two_phases():
    with pytest.raises(ConvergenceError, match=r"same phase.* give start=\(first, second\)"):
        load("gardner-spherical").boundary("first-order", "alpha", bracket=(0.5, 1.5))


def test_a_limit_is_not_a_phase():
    with pytest.raises(ConvergenceError, match="'informed' leads to no regular solution"):
        load("perceptron-rademacher").boundary("first-order", "alpha", bracket=(1, 2))


def test_a_line_that_reaches_none_of_the_values_says_where_it_ends():
    with pytest.raises(ConvergenceError, match=r"none of the values of kappa; .* alpha reaches"):
        load("gardner-spherical").boundary(
            "capacity", "alpha", along="kappa", over=[-1, 1.5, 2], kappa=0, within=(1.5, 2.5)
        )


def test_a_line_that_is_not_entered_says_what_to_give():
    with pytest.raises(ConvergenceError, match=r"not entered at T = .* start= and a bracket="):
        load("hopfield").boundary("replicon", "alpha", along="T", over=(0.4, 0.6))
