"""Long rows: blocks at the same time, and yet the branch that the row follows."""

import numpy as np
import pytest
import sympy as sp
import xarray as xr

from replica import FunctionalModel, OrderParameter, Parameter
from replica.scan import converged, scan
from replica.scan.block import Columns
from replica.scan.branches import NO_BRANCH, merge_branches, same_rows

COLUMNS = Columns(unknowns=1, outputs=1)
BETA = 1.5
# Curie-Weiss: m = tanh(beta (m + h)) has two stable solutions where |h| is below this.
M_SPINODAL = np.sqrt(1 - 1 / BETA)
H_SPINODAL = M_SPINODAL - np.arctanh(M_SPINODAL) / BETA


@pytest.fixture(scope="module")
def magnet():
    m = sp.Symbol("m", real=True)
    beta = Parameter("beta_", BETA, (0, 10), "inverse temperature", symbol="beta", open="lower")
    h = Parameter("h", 0.1, (-2, 2), "external field")
    # The rate 1/beta makes the update m + (-beta m + beta tanh(beta (m + h)))/beta.
    return FunctionalModel(
        name="curie-weiss",
        free_entropy=-beta * m**2 / 2 + sp.log(2 * sp.cosh(beta * (m + h))),
        order_parameters=[OrderParameter(m, rate=1 / beta, domain=(-1, 1), start=0.9)],
    )


def magnetisation(h, sign, beta=BETA):
    """Solve m = tanh(beta (m + h)) on the branch of a sign by bisection beyond the spinodal."""
    spinodal = np.sqrt(1 - 1 / beta)
    low, high = (spinodal, 1.0) if sign > 0 else (-1.0, -spinodal)
    for _ in range(100):
        middle = (low + high) / 2
        if np.tanh(beta * (middle + h)) > middle:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def followed(h, down):
    """Return the branch on which a row arrives at a field."""
    jump = -H_SPINODAL if down else H_SPINODAL
    return magnetisation(h, 1 if h > jump else -1)


@pytest.mark.parametrize("rows", [1, 40], ids=["guessed", "followed"])
@pytest.mark.parametrize("down", [False, True])
def test_a_row_of_many_blocks_shows_the_hysteresis_of_one(magnet, rows, down):
    """The start is up everywhere: going up, blocks guessed at negative fields are replaced."""
    h = np.linspace(-0.3, 0.3, 601)
    ds = scan(
        magnet,
        {"beta": np.linspace(BETA, BETA + 1e-9, rows) if rows > 1 else [BETA], "h": h},
        start={"m": -0.9} if not down else None,
        direction="down" if down else "up",
        progress=False,
    )
    assert converged(ds).all()
    expected = [followed(value, down) for value in h]
    np.testing.assert_allclose(ds["m"].values[0], expected, atol=1e-7)


def test_a_start_that_leads_elsewhere_does_not_break_the_branch(magnet):
    """Blocks begin at m = 0.9, and the row has come down to the other branch before them."""
    h = np.concatenate([np.linspace(0.3, -0.3, 400), np.linspace(-0.3, 0.09, 400)])
    h = h + np.arange(800) * 1e-9
    ds = scan(magnet, {"h": h}, progress=False)
    expected = [followed(value, down=True) for value in h[:400]]
    expected += [followed(value, down=False) for value in h[400:]]
    np.testing.assert_allclose(ds["m"].values, expected, atol=1e-6)


@pytest.mark.parametrize("axes", [{"h": 601}, {"h": 300, "beta": 2}, {"beta": 40, "h": 150}])
def test_the_number_of_workers_does_not_change_a_bit(magnet, axes):
    ends = {"h": (0.3, -0.3), "beta": (0.5, 2)}
    grid = {name: np.linspace(*ends[name], count) for name, count in axes.items()}
    one, two = (scan(magnet, grid, n_jobs=n, progress=False) for n in (1, 3))
    one.attrs["created"] = two.attrs["created"] = ""
    xr.testing.assert_identical(one, two)


def test_a_guess_is_kept_where_the_row_goes_there(magnet, solved):
    h = np.linspace(0.2, 1.0, 128 * 8)
    scan(magnet, {"h": h}, progress=False)
    assert sorted(map(len, solved)) == [2] * 7 + [128] * 8


def test_blocks_of_many_rows_follow_each_other(magnet, solved):
    scan(magnet, {"beta": np.linspace(1, 2, 40), "h": np.linspace(0.2, 1.0, 300)}, progress=False)
    assert sorted(set(map(len, solved))) == [44 + 1, 128, 128 + 1]
    assert len(solved) == 3 * 40


def test_both_directions_are_branches_ranked_by_free_entropy(magnet):
    """Against the closed form: two branches between the spinodal fields, the sign of h first."""
    h = np.linspace(-0.3, 0.3, 240)
    ds = scan(magnet, {"h": h}, start={"m": -0.9}, direction="both", progress=False)
    assert ds["m"].dims == ("h", "branch")
    two = np.abs(h) < H_SPINODAL
    np.testing.assert_array_equal(ds["m"].notnull().sum("branch"), np.where(two, 2, 1))
    best, other = ds["m"].values.T
    np.testing.assert_allclose(best, [magnetisation(v, np.sign(v)) for v in h], atol=1e-7)
    np.testing.assert_allclose(
        other[two], [magnetisation(v, -np.sign(v)) for v in h[two]], atol=1e-7
    )
    assert np.all(ds["free_entropy"].values[two, 0] > ds["free_entropy"].values[two, 1])
    assert ds["found_by"].attrs["flag_meanings"] == "start_0_up start_0_down"
    up, down = 1, 2
    np.testing.assert_array_equal(
        ds["found_by"].values[:, 0], np.where(~two, up + down, np.where(h < 0, up, down))
    )
    assert np.all(ds["status"].values[~two, 1] == NO_BRANCH)


def test_branches_that_are_equal_keep_their_numbers(magnet):
    """At h = 0 the two solutions are mirror images: neither is the better one."""
    ds = scan(
        magnet,
        {"beta": np.linspace(1.2, 3, 50)},
        {"h": 0.0},
        start=[{"m": 0.5}, {"m": -0.5}],
        progress=False,
    )
    assert np.all(ds["m"].values[:, 0] > 0)
    assert np.all(ds["m"].values[:, 1] < 0)


def table(*points):
    rows = np.full((len(points), COLUMNS.width), np.nan)
    for row, (x, error, free_entropy, status) in zip(rows, points, strict=True):
        row[COLUMNS.x], row[COLUMNS.error] = x, error
        row[COLUMNS.out], row[COLUMNS.out_error] = free_entropy, error
        row[COLUMNS.status], row[COLUMNS.evaluations] = status, 7
    return rows


def test_solutions_are_the_same_to_their_errors():
    first = table((0.5, 1e-4, 0, 0), (0.5, 1e-12, 0, 0), (0.5, 0, 0, 0), (np.nan, 0, 0, 0))
    second = table((0.5005, 1e-4, 0, 0), (0.5005, 1e-12, 0, 0), (0.5 + 1e-10, 0, 0, 0),
                   (np.nan, 0, 0, 0))  # fmt: skip
    same = same_rows(first, second, COLUMNS, None)
    assert same.tolist() == [True, False, True, False]


def test_branches_are_merged_and_ranked():
    tables = np.stack(
        [
            table((0.1, 1e-12, 1.0, 0), (0.1, 1e-12, 1.0, 0), (0.1, 1e-12, 1.0, 1)),
            table((0.9, 1e-12, 3.0, 0), (0.1, 1e-12, 1.0, 0), (0.2, 1e-12, 9.0, 2)),
            table((0.5, 1e-12, 2.0, 0), (0.7, 1e-12, 9.0, 1), (0.3, 1e-12, 9.0, 3)),
        ]
    )
    merged, found_by, rank = merge_branches(tables, COLUMNS, 0, None)
    np.testing.assert_array_equal(merged[:, 0, 0], [0.9, 0.5, 0.1])
    np.testing.assert_array_equal(merged[:, 1, 0], [0.1, np.nan, np.nan])
    np.testing.assert_array_equal(merged[:, 2, 0], [0.1, np.nan, np.nan])
    np.testing.assert_array_equal(found_by, [[2, 3, 1], [4, 0, 0], [1, 0, 0]])
    np.testing.assert_array_equal(rank[:, 0], [1, 2, 0])
    status = merged[..., COLUMNS.status]
    np.testing.assert_array_equal(status, [[0, 0, 1], [0, -1, -1], [0, -1, -1]])
