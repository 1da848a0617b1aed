import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.legend import Legend

import replica
from replica.errors import ScanError
from replica.report.plot import PALETTE, curve, phase_diagram
from replica.scan import scan


@pytest.fixture(autouse=True)
def _no_window():
    import matplotlib.pyplot as plt

    mpl.use("Agg")
    yield
    plt.close("all")


@pytest.fixture
def ax():
    import matplotlib.pyplot as plt

    return plt.subplots()[1]


@pytest.fixture
def line(model):
    return scan(model, {"h": [0.1, 0.5, 1.0, 6.0]}, progress=False)


@pytest.fixture
def grid(model):
    return scan(model, {"h": [0.1, 0.5, 6.0], "beta": [0.5, 1.0]}, progress=False)


def test_curve_draws_into_the_given_axes_and_returns_them(line, ax):
    before = dict(mpl.rcParams)
    assert curve(line, "h", "m", ax) is ax
    assert ax.get_xlabel() == "$h$"
    assert ax.get_ylabel() == "$m$"
    assert dict(mpl.rcParams) == before


def test_points_that_did_not_converge_are_hollow_and_not_joined(line, ax):
    curve(line, "h", "test_error", ax)
    solid, hollow = ax.lines
    assert np.isnan(solid.get_ydata()).tolist() == [False, False, False, True]
    assert hollow.get_xdata().tolist() == [6.0]
    assert hollow.get_fillstyle() == "none"
    assert hollow.get_linestyle() == "None"


def test_hue_gives_one_named_curve_a_value(grid, ax):
    curve(grid.isel(h=slice(0, 2)), "h", "test_error", ax, hue="beta_")
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == [r"$\beta$ = 0.5", r"$\beta$ = 1"]
    assert [to_hex(drawn.get_color()).upper() for drawn in ax.lines] == list(PALETTE[:2])


def test_curves_drawn_one_after_the_other_differ_in_colour(line, ax):
    curve(line.isel(h=slice(0, 3)), "h", "m", ax)
    curve(line.isel(h=slice(0, 3)), "h", "test_error", ax, linestyle="--")
    assert ax.lines[0].get_color() != ax.lines[1].get_color()
    assert ax.lines[1].get_linestyle() == "--"


def test_an_axis_of_one_value_needs_no_choice(grid):
    curve(grid.isel(beta_=[0]), "h", "m")


def test_phase_diagram_leaves_out_what_did_not_converge(grid, ax):
    assert phase_diagram(grid, "h", "beta_", "m", ax, levels=[0.5]) is ax
    colours = ax.collections[0].get_array()
    assert colours.shape == (2, 3)
    assert colours.mask[:, 2].all()
    assert not colours.mask[:, :2].any()
    (hollow,) = ax.lines
    assert hollow.get_xdata().tolist() == [6.0, 6.0]
    assert ax.get_ylabel() == r"$\beta$"


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_figures_can_be_written(grid, tmp_path, suffix):
    ax = phase_diagram(grid, "h", "beta_", "m")
    ax.get_figure().savefig(tmp_path / f"figure.{suffix}")
    assert (tmp_path / f"figure.{suffix}").stat().st_size > 1000


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("alpha", "m"), "no axis 'alpha'"),
        (("h", "mass"), "no variable 'mass'"),
        (("h", "m"), "also runs over beta_"),
    ],
)
def test_mistakes_say_what_there_is(grid, names, words):
    with pytest.raises(ScanError, match=words):
        curve(grid, *names)


def test_phases_are_regions_with_names():
    ds = replica.load("hopfield").phase_diagram(
        {"spin glass": lambda found: found["q"] > 1e-6, "paramagnet": True},
        alpha=(0.011, 0.1), T=(1.0, 1.4), resolution=16, cells=4, progress=False,
    )  # fmt: skip
    glass_line = pd.DataFrame({"alpha": ds["alpha"], "T": 1 + np.sqrt(ds["alpha"].values)})
    ax = phase_diagram(ds, "alpha", "T", "phase", lines={"$T_g$": glass_line})
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["$T_g$"]
    regions = next(a for a in ax.artists if isinstance(a, Legend))
    assert [text.get_text() for text in regions.get_texts()] == ["spin glass", "paramagnet"]
    np.testing.assert_array_equal(ax.collections[0].get_array(), ds["phase"].values.T)
    ax.get_figure().draw_without_rendering()
    assert ax.get_position().y1 < 0.95  # the names have room above the axes
