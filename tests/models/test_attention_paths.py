"""Attention paths: the reference table, closed forms, conservation, and what is made of them."""

import functools

import numpy as np
import pytest
import sympy as sp
from replica.models.attention_paths import attention_paths
from scipy.optimize import brentq

from replica import (
    ConvergenceError,
    DataError,
    DeclarationError,
    DerivationError,
    ParameterError,
    SettingsError,
    Status,
)
from replica.datasets import GaussianPaths, HiddenMarkovChain
from replica.kernels import KernelPredictor, PathFeatures, head_scores, prune
from replica.report import plot

from .attention_paths_reference import FINGERPRINTS, M1, ROWS, T1, T3, T4, WIDE, WIDEST


@functools.cache
def declared(data, heads, equal_widths=True):
    return attention_paths(heads, data=data, equal_widths=equal_widths)


@functools.cache
def solved(row):
    data, heads, parameters, *_ = ROWS[row]
    return declared(data, heads, "N" in parameters).solve(start="uninformed", **parameters)


def upper(matrix):
    return matrix[np.triu_indices(len(matrix))]


@pytest.mark.parametrize("row", ROWS)
def test_every_row_of_the_reference_table(row):
    *_, U_1, U_2, U_a, action, mse, variance, accuracy = ROWS[row]
    found = solved(row)
    # A digit in the last place, where the reference was rounded.
    assert upper(found.matrix("U_1")) == pytest.approx(U_1, abs=1.1e-8)
    if U_2:
        assert upper(found.matrix("U_2")) == pytest.approx(U_2, abs=1.1e-8)
    assert found["U_a"] == pytest.approx(U_a, abs=1.1e-8)
    assert found["action"] == pytest.approx(action, abs=1.1e-8)
    assert found["mse"] == pytest.approx(mse, abs=1.1e-8)
    assert found["variance"] == pytest.approx(variance, abs=1.1e-8)
    assert found["accuracy"] == pytest.approx(accuracy, abs=1e-12)
    assert found["generalization_error"] == pytest.approx(mse + variance, abs=3e-8)
    assert found.free_entropy == pytest.approx(-action / 2, abs=1e-8)
    assert max(found.error.values()) < 1e-10


@pytest.mark.parametrize("row", WIDEST)
def test_the_widest_network_is_the_gaussian_process(row):
    data, heads, T, mse, variance, accuracy = WIDEST[row]
    found = declared(data, heads).solve(start="uninformed", N=1e9, T=T)
    assert found.matrix("U_1") == pytest.approx(np.eye(np.prod(heads)), abs=1e-6)
    assert found["mse"] == pytest.approx(mse, abs=2e-7)
    assert found["variance"] == pytest.approx(variance, abs=2e-7)
    assert found["accuracy"] == pytest.approx(accuracy, abs=1e-12)


def test_narrow_layers_at_the_mode_of_the_reference():
    """The mode that brute-force sampling of all weights was compared with; four digits."""
    data = GaussianPaths(3, examples=40, test_examples=200, coordinates=60)
    U = declared(data, (2, 2)).solve(start="uninformed", N=10, T=0.05).matrix("U_1")
    assert np.diagonal(U) == pytest.approx([2.339, 1.915, 1.529, 1.614], abs=6e-4)
    assert U[0, 1:3] == pytest.approx([0.7135, -0.5194], abs=6e-5)


@pytest.mark.slow
def test_accuracy_over_six_seeds():
    """Mean and deviation over seeds 20 to 25, three digits: theory, and infinitely wide networks.

    Those of few paths have only these heads, so that their features are scaled by fewer paths.
    """
    expected = {
        10: (0.963, 0.004), 100: (0.924, 0.019), 1000: (0.855, 0.018),
        "all": (0.845, 0.019), "good": (0.929, 0.003), "good, denoising": (0.957, 0.009),
    }  # fmt: skip
    limits = {"all": [0, 1, 2, 3], "good": [0], "good, denoising": [0, 2]}
    found = {key: [] for key in expected}
    for seed in range(20, 26):
        drawn = HiddenMarkovChain(seed)()
        model = attention_paths((2, 2), data=drawn)
        for N in (10, 100, 1000):
            found[N].append(model.solve(start="uninformed", N=N)["accuracy"])
        for name, kept in limits.items():
            U = np.zeros((4, 4))
            U[kept, kept] = 4 / len(kept)
            mean = KernelPredictor(U, drawn["Z"], drawn["y"], 0.01).mean(drawn["Z_test"])
            found[name].append(np.mean(np.sign(mean) == drawn["y_test"]))
    for key, (mean, deviation) in expected.items():
        assert np.mean(found[key]) == pytest.approx(mean, abs=6e-4), key
        assert np.std(found[key], ddof=1) == pytest.approx(deviation, abs=6e-4), key


@pytest.mark.parametrize(("row", "number"), [("T3 N=30", 1.6413059232), ("T5", -5.0581181407)])
def test_the_conserved_number_is_the_same_in_every_layer(row, number):
    found = solved(row)
    for layer in ("a", "1", "2"):
        assert found[f"conserved_{layer}"] == pytest.approx(number, abs=2e-10)


def test_one_head_at_zero_temperature_is_a_deep_linear_network():
    """u^(1/(L+1)) = 1 - alpha + alpha r0/u, without and with the temperature going to zero."""
    data = T4()
    Z, y = data["Z"].values[:, :, 0], data["y"]
    r0 = y @ np.linalg.solve(Z @ Z.T, y) / len(y)
    assert r0 == pytest.approx(1.032014274937, abs=1e-11)
    for N in (30, 120):
        alpha = len(y) / N

        def equation(u, alpha=alpha):
            return np.sqrt(u) - 1 + alpha - alpha * r0 / u

        root = brentq(equation, 0.5, 2, xtol=1e-14)
        cold = declared(T4, (1,)).solve(start="uninformed", N=N, T=0)
        assert cold["U_1[1,1]"] == pytest.approx(root, abs=1e-11)
        assert cold["U_a"] == pytest.approx(np.sqrt(root), abs=1e-11)
        assert solved(f"T4 N={N}")["U_1[1,1]"] == pytest.approx(root, abs=2e-7)


def test_one_head_in_three_layers():
    """U_l = u^((L+2-l)/(L+1)), and the root of the same equation with L+1 = 4 layers."""
    data = T4()
    Z, y = data["Z"].values[:, :, 0], data["y"]
    alpha, r0 = len(y) / 200, y @ np.linalg.solve(Z @ Z.T, y) / len(y)
    found = declared(T4, (1, 1, 1)).solve(start="uninformed", N=200, T=0)
    u = brentq(lambda u: u**0.25 - 1 + alpha - alpha * r0 / u, 0.5, 2, xtol=1e-14)
    powers = [found[name] for name in ("U_1[1,1]", "U_2[1,1]", "U_3[1,1]", "U_a")]
    assert powers == pytest.approx([u, u**0.75, u**0.5, u**0.25], abs=1e-11)


def test_labels_of_zero_shrink_the_kernel_and_leave_none_beyond_unit_load():
    model = declared(T4, (1,)).with_data(y=np.zeros(60))
    found = model.solve(start="uninformed", N=120, T=0)
    assert found["U_1[1,1]"] == pytest.approx(0.5**2, abs=1e-11)
    beyond = model.solve(start="uninformed", N=30, T=0, throw=False)
    assert not beyond.converged
    assert model.solve(N=30, T=0.05).converged


def test_one_layer_solves_its_closed_form():
    """U_1^-1 = 1/U_a + G/N, and a quadratic equation for U_a."""
    N, T = 30, 0.05
    found, data = solved("T1 N=30"), T1()
    Z, y, U = data["Z"].values, data["y"], found.matrix("U_1")
    C = np.einsum("mip,niq->pqmn", Z, Z)
    A = np.linalg.inv(np.einsum("pq,pqmn->mn", U, C) + T * np.eye(len(y)))
    G = np.einsum("pqmn,mn->pq", C, A) - np.einsum("m,pqmn,n->pq", A @ y, C, A @ y)
    G = (G + G.T) / 2
    assert np.linalg.inv(U) == pytest.approx(np.eye(2) / found["U_a"] + G / N, abs=1e-10)
    # U_a^2 + (H - 1) U_a - tr U_1 = 0
    assert found["U_a"] == pytest.approx((-1 + np.sqrt(1 + 4 * np.trace(U))) / 2, abs=1e-11)


def test_first_correction_at_large_width():
    """N(U_1 - 1) = -[G + 1 (x) Tr_1 G + 1 tr G] at U = 1, for two layers."""
    N, T = 1e6, 0.05
    found = declared(T3, (2, 2)).solve(start="uninformed", N=N, T=T)
    data = T3()
    Z, y = data["Z"].values, data["y"]
    C = np.einsum("mip,niq->pqmn", Z, Z)
    A = np.linalg.inv(np.einsum("ppmn->mn", C) + T * np.eye(len(y)))
    G = np.einsum("pqmn,mn->pq", C, A) - np.einsum("m,pqmn,n->pq", A @ y, C, A @ y)
    G = (G + G.T) / 2
    inner = G[:2, :2] + G[2:, 2:]
    correction = -(G + np.kron(np.eye(2), inner) + np.eye(4) * np.trace(G))
    measured = N * (found.matrix("U_1") - np.eye(4))
    assert measured == pytest.approx(correction, abs=5e-3)
    assert measured[0] == pytest.approx([25.4766, 1.5459, -2.8637, 2.4780], abs=2e-4)


def test_two_minima_are_compared_by_their_action():
    eigenvalues = np.r_[np.full(60, 100.0), np.full(20, 1e-3)]
    data = {
        "Z": np.diag(np.sqrt(eigenvalues))[:, :, None], "y": np.r_[np.zeros(60), np.ones(20)],
        "Z_test": np.eye(80)[:1, :, None], "y_test": [1.0],
    }  # fmt: skip
    model = attention_paths((1,), data=data)
    low, high = model.branches(N=20, T=0.01)
    assert low["U_1[1,1]"] == pytest.approx(68.319855538, abs=1e-8)
    assert low["action"] == pytest.approx(980.32562337, abs=1e-7)
    assert high["U_1[1,1]"] == pytest.approx(4.951063e-5, rel=1e-6)
    assert high["action"] == pytest.approx(1854.25633898, abs=1e-7)
    assert model.solve(N=20, T=0.01)["action"] == pytest.approx(low["action"], abs=1e-8)


def test_random_starts_over_four_decades_agree_on_the_toy_task():
    assert len(declared(T3, (2, 2)).branches(N=30, T=0.05)) == 1


def numbers(U_1, U_2, U_a, outputs, data, heads, N, T):
    """The action as it stands in the article, with dense products."""
    first, second = heads
    size = outputs * second
    prior_2 = np.kron(np.eye(second), U_a)
    prior_1 = np.kron(np.eye(first), U_2)
    assert U_2.shape == (size, size)
    C = np.einsum("mip,niq->pqmn", data["Z"].values, data["Z"].values)
    blocks = U_1.reshape(first * second, outputs, first * second, outputs)
    K = np.einsum("paqb,pqmn->manb", blocks, C).reshape(len(data["y"]) * outputs, -1)
    K = K + T * np.eye(len(K))
    y = np.reshape(data["y"], -1)

    def logdet(M):
        return np.linalg.slogdet(M)[1]

    entropy = np.trace(U_a) - logdet(U_a)
    entropy += np.trace(np.linalg.solve(prior_2, U_2)) - logdet(U_2) + logdet(prior_2)
    entropy += np.trace(np.linalg.solve(prior_1, U_1)) - logdet(U_1) + logdet(prior_1)
    return N * entropy + logdet(K) + y @ np.linalg.solve(K, y)


def test_several_outputs():
    """Each output its own teacher; the action against dense products, and stationarity."""
    outputs, heads, N, T = 3, (2, 2), 40, 0.05
    tasks = [GaussianPaths(12, combination=c)() for c in np.eye(4)[:3]]
    data = {
        **tasks[0],
        "y": np.stack([task["y"] for task in tasks], axis=1),
        "y_test": np.stack([task["y_test"] for task in tasks], axis=1),
    }
    model = attention_paths(heads, outputs=outputs, data=data)
    found = model.solve(start="uninformed", N=N, T=T)
    U = [found.matrix(name) for name in ("U_1", "U_2", "U_a")]
    assert [len(u) for u in U] == [12, 6, 3]
    action = functools.partial(numbers, outputs=outputs, data=data, heads=heads, N=N, T=T)
    assert found["action"] == pytest.approx(action(*U), abs=1e-9)
    random = np.random.default_rng(0)
    for i in range(3):
        # Both ways along a random symmetric direction the action grows, quadratically.
        step = random.standard_normal(U[i].shape) * 1e-3
        moved = [[*U[:i], U[i] + s * (step + step.T), *U[i + 1 :]] for s in (-1, 1, -0.5, 0.5)]
        rises = [action(*u) - found["action"] for u in moved]
        assert min(rises) > 0
        assert (rises[0] + rises[1]) / (rises[2] + rises[3]) == pytest.approx(4, rel=0.01)
        assert abs(rises[0] - rises[1]) < 0.05 * (rises[0] + rises[1])
    predictor = KernelPredictor(U[0], data["Z"], data["y"], T)
    mean, labels = predictor.mean(data["Z_test"]), data["y_test"]
    assert found["mse"] == pytest.approx(np.mean(np.sum((mean - labels) ** 2, axis=1)), abs=1e-10)
    assert found["accuracy"] == np.mean(mean.argmax(axis=1) == labels.argmax(axis=1))
    variance = predictor.variance(data["Z_test"])
    assert found["variance"] == pytest.approx(variance.sum(axis=1).mean(), abs=1e-10)
    assert found["conserved_1"] == pytest.approx(found["conserved_a"], abs=1e-9)


def test_independent_outputs_do_not_mix():
    """A second output without labels leaves the kernel of the paths block-diagonal in outputs."""
    data = T1()
    twice = {**data, "y": np.stack([data["y"], 0 * data["y"]], axis=1),
             "y_test": np.stack([data["y_test"], 0 * data["y_test"]], axis=1)}  # fmt: skip
    found = attention_paths((2,), outputs=2, data=twice).solve(start="uninformed", N=30, T=0.05)
    blocks = found.matrix("U_1").reshape(2, 2, 2, 2)
    assert blocks[:, 0, :, 1] == pytest.approx(np.zeros((2, 2)), abs=1e-11)
    assert blocks[:, 1, :, 1][0, 1] == pytest.approx(0, abs=0.1)  # no labels, no combination


def test_predictions_of_the_first_test_points():
    for row, means, variances in (
        ("T1 N=30", [0.4891715, 1.0102267, -0.3572689], [0.5067472, 0.4350461, 0.5650953]),
        ("M1 N=10", [0.6813695, 1.3219882, 0.9468529], [0.2259298, 0.1504229, 0.2523822]),
    ):
        data, _, parameters, *_ = ROWS[row]
        drawn = data()
        predictor = KernelPredictor(
            solved(row).matrix("U_1"), drawn["Z"], drawn["y"], parameters.get("T", 0.01)
        )
        few = drawn["Z_test"].select(slice(3))
        assert predictor.mean(few) == pytest.approx(means, abs=6e-8)
        assert predictor.variance(few) == pytest.approx(variances, abs=6e-8)
        by_pair = predictor.decomposition(few)
        assert by_pair.sum(axis=(1, 2)) == pytest.approx(predictor.mean(few), abs=1e-12)


def test_head_scores_and_pruning():
    drawn = M1()
    for row, scores, accuracies in (
        ("M1 N=10", [0.798758, 0.581707, 1, 0.049623], [0.492, 0.903, 0.589, 0.941]),
        ("M1 N=100", [0.795401, 0.684414, 1, 0.419843], [0.496, 0.829, 0.567, 0.944]),
    ):
        U = solved(row).matrix("U_1")
        assert np.concatenate(head_scores(U, (2, 2))) == pytest.approx(scores, abs=6e-7)
        for head, accuracy in zip([(1, 1), (1, 2), (2, 1), (2, 2)], accuracies, strict=True):
            pruned = KernelPredictor(prune(U, (2, 2), [head]), drawn["Z"], drawn["y"], 0.01)
            right = np.sign(pruned.mean(drawn["Z_test"])) == drawn["y_test"]
            assert right.mean() == pytest.approx(accuracy, abs=1e-12)


def test_labels_along_the_eigenvectors_of_the_kernel():
    drawn = M1()
    for U, overlaps in (
        (solved("M1 N=10").matrix("U_1"), [0.0742, 0.0233, 0.7877, 0.4514, 0.0371, 0.0273]),
        (np.eye(4), [0.0586, 0.0690, 0.1308, 0.3615, 0.0501, 0.5495]),
    ):
        _, found = KernelPredictor(U, drawn["Z"], drawn["y"], 0.01).alignment()
        assert found[:6] == pytest.approx(overlaps, abs=6e-5)
        assert np.sum(found**2) == pytest.approx(1, abs=1e-12)


def test_unequal_heads_in_three_layers_are_solved_and_conserved():
    data = GaussianPaths(3, examples=30, test_examples=20, coordinates=40, heads=(2, 1, 3),
                         combination=(1, 0.5, -0.5, 0, 0.2, 0.1))  # fmt: skip
    found = attention_paths((2, 1, 3), data=data, equal_widths=False).solve(
        N_1=20, N_2=40, N_3=30, N_a=25, T=0.05, sigma_2=1.3
    )
    numbers = [found[f"conserved_{layer}"] for layer in "a123"]
    assert numbers == pytest.approx([numbers[0]] * 4, abs=1e-9)
    assert [len(found.matrix(f"U_{layer}")) for layer in (1, 2, 3)] == [6, 3, 3]


def test_data_at_the_time_of_the_solution():
    model = declared(T3, (2, 2))
    again = model.solve(data=T1_as_two_layers(), start="uninformed", N=30, T=0.05)
    assert again["mse"] != pytest.approx(solved("T3 N=30")["mse"], abs=1e-3)
    assert model.solve(start="uninformed", N=30, T=0.05)["mse"] == solved("T3 N=30")["mse"]


def T1_as_two_layers():
    return GaussianPaths(14)


def test_scan_and_check():
    model = declared(T1, (2,))
    ds = model.scan(N=[10, 30, 300], T=0.05, progress=False)
    assert (ds.status == 0).all()
    assert ds["U_1[1,2]"].values == pytest.approx([0.36122524, 0.18283086, 0.02355731], abs=2e-8)
    report = model.check(N=30, T=0.05)
    assert report.passed, str(report)
    assert {i.name for i in report.items} >= {"gradient", "curvature", "conservation, layer 1"}


def test_a_store_does_not_mix_data(tmp_path):
    model = declared(T1, (2,))
    other = model.with_data({**T1(), "y": -2 * T1()["y"]})
    path = tmp_path / "scan.sqlite"
    first = model.scan(N=[10, 30], T=0.05, progress=False, store=path)
    second = other.scan(N=[10, 30], T=0.05, progress=False, store=path)
    assert second.action[0] == pytest.approx(other.solve(N=10, T=0.05)["action"], abs=1e-9)
    assert abs(second.action - first.action).min() > 1
    again = model.scan(N=[10, 30], T=0.05, progress=False, store=path)
    assert (again.action == first.action).all()


def test_a_wrong_derivative_would_not_pass_the_check(monkeypatch):
    from replica.derive.action import ActionSaddlePoint

    model = attention_paths((2,), data=T1)
    saddle = model.saddle_point()
    wrong = {s: 1.01 * g for s, g in saddle.gradient.items()}
    monkeypatch.setitem(saddle.__dict__, "gradient", wrong)
    assert isinstance(model.compile().saddle, ActionSaddlePoint)
    report = model.check(N=30, T=0.05)
    assert "gradient" in {i.name for i in report.items if not i.passed}


def test_what_cannot_be_solved_says_so_in_a_sentence():
    model = declared(T1, (2,))
    with pytest.raises(ParameterError, match=r"'N' = 0 is outside its domain \(0, inf\)"):
        model.solve(N=0)
    with pytest.raises(ParameterError, match="parameter 'sigma_7' is unknown"):
        model.solve(sigma_7=2)
    with pytest.raises(ParameterError, match="start 'hot' is unknown; expected one of large"):
        model.solve(start="hot")
    with pytest.raises(ParameterError, match="expected a positive definite matrix"):
        model.solve(start={"U_1[1,2]": 3.0})
    with pytest.raises(DataError, match=r"'y' has 59 entries, expected 60"):
        model.solve(data={**T1(), "y": np.ones(59)})
    with pytest.raises(DataError, match="'Z' have 4 paths, expected 2"):
        model.solve(data=T3)
    with pytest.raises(DataError, match="the data 'y_test' are missing"):
        model.solve(data={k: v for k, v in T1().items() if k != "y_test"})
    with pytest.raises(DataError, match="there are no data 'x'"):
        model.with_data(x=np.ones(3)).solve()
    twins = T1()
    features = PathFeatures(np.repeat(twins["Z"].values[:30], 2, axis=0))
    with pytest.raises(ParameterError, match=r"at N = 100, T = 0.* singular .* temperature above"):
        model.solve(data={**twins, "Z": features}, T=0)
    ds = model.with_data({**twins, "Z": features}).scan(T=[0.0, 0.05], progress=False)
    assert ds.status.values.tolist() == [list(Status).index(Status.AT_BOUNDARY), 0]


@pytest.mark.parametrize("heads", [(), (2, 0), (-1,), (2.5,), 2, "ab"])
def test_every_layer_has_heads(heads):
    with pytest.raises(DeclarationError, match="heads of each layer: expected whole numbers from"):
        attention_paths(heads, data=T1)


def test_labels_have_the_examples_first():
    with pytest.raises(DeclarationError, match="outputs: expected whole numbers from 1 on"):
        attention_paths((2,), outputs=0, data=T1)
    data = T1()
    both = {name: np.stack([data[name], -data[name]], axis=1) for name in ("y", "y_test")}
    with pytest.raises(DataError, match=r"'y' has shape \(2, 60\), expected the 60 examples along"):
        attention_paths((2,), outputs=2, data={**data, **both, "y": both["y"].T}).solve(N=10)
    with pytest.raises(DataError, match=r"'y': expected an array of numbers, got .'cat'"):
        attention_paths((2,), data={**data, "y": ["cat"] * 60}).solve(N=10)
    with pytest.raises(DataError, match=r"a mapping of names to arrays, .* got NoneType"):
        attention_paths((2,), data=None)


def test_what_an_action_cannot_do_is_said():
    model = declared(T1, (2,))
    with pytest.raises(DerivationError, match="not followed through folds; scan N"):
        model.follow("N")
    with pytest.raises(DerivationError, match="transitions of an action are not located"):
        model.boundary("spinodal", "N")
    with pytest.raises(DerivationError, match="double precision only"):
        model.verify(solved("T1 N=30"))
    with pytest.raises(DerivationError, match="takes no ansatz"):
        model.saddle_point(ansatz="one-step")


@pytest.mark.parametrize("draw", [plot.iterates, plot.profile])
def test_there_is_no_map_to_draw(draw):
    """What needs a fixed-point map says what an action is, whatever it wants with it."""
    word = {"start": "uninformed"} if draw is plot.iterates else {"between": ("small", "large")}
    with pytest.raises(DerivationError, match="an action is minimised, and has no fixed-point map"):
        draw(declared(T1, (2,)), **word)


def test_linear_algebra_is_the_only_back_end():
    model = declared(T1, (2,))
    assert model.compile("numpy") is model.compile()
    for ask in (model.compile, model.solve, model.branches):
        with pytest.raises(SettingsError, match="back end 'c' is not for actions"):
            ask(backend="c")


def test_a_phase_diagram_is_made_of_solutions():
    """The phases are those of single solves."""
    model = declared(T1, (2,))
    phases = {"accurate": sp.Symbol("accuracy") > 0.71}
    ds = model.phase_diagram(
        phases, N=(10, 300), T=(0.05, 5), log=("N", "T"), cells=2, resolution=2, progress=False
    )
    for N in (10, 300):
        for T in (0.05, 5.0):
            found = model.solve(N=N, T=T)
            label = ds.phase.sel(N=N, T=T, method="nearest")
            meaning = ds.phase.attrs["flag_meanings"].split()[int(label)]
            assert (meaning == "accurate") == (found["accuracy"] > 0.71)


def test_out_of_evaluations_keeps_what_there_is():
    from replica import SolverSettings

    with pytest.raises(ConvergenceError) as caught:
        declared(T3, (2, 2)).solve(
            start="uninformed", settings=SolverSettings(max_evaluations=1), N=30
        )
    assert np.isfinite(caught.value.solution["action"])
    assert caught.value.solution.status is Status.NOT_CONVERGED


def test_widths_and_scales_of_their_own():
    model = declared(T3, (2, 2), False)
    assert set(model.parameters) == {"T", "sigma_0", *WIDE}


@pytest.mark.parametrize(("task", "first", "total"), FINGERPRINTS)
def test_tasks_are_drawn_as_in_the_reference(task, first, total):
    Z = task()["Z"].values
    assert Z[0, 0] == pytest.approx(first, abs=1e-10)
    assert np.sum(Z**2) == pytest.approx(total, abs=6e-9)
