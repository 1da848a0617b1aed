"""Branches, simulations and lines: what is drawn, in what style, where."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from replica.errors import ScanError
from replica.report.plot import curve, phase_diagram, save

CONVERGED, FAILED = 0, 1


@pytest.fixture(autouse=True)
def _no_window():
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    mpl.use("Agg")
    yield
    plt.close("all")


def scan_of(m, status=None, stability=None, x=None):
    """A scan with two branches, as sorted by free entropy."""
    m = np.array(m, dtype=float)
    dims = ("branch", "T")
    x = np.arange(m.shape[1], dtype=float) if x is None else x
    status = np.where(np.isnan(m), FAILED, CONVERGED) if status is None else np.array(status)
    flags = {"flag_values": np.arange(2), "flag_meanings": "converged not_converged"}
    data = {
        "m": (dims, m, {"latex": "m"}),
        "status": (dims, status, flags),
        "stability": (dims, np.zeros_like(m) if stability is None else np.array(stability)),
    }
    return xr.Dataset(data, {"T": ("T", x, {"latex": "T"})})


def drawn(ax):
    """Style -> points of all lines in it."""
    found = {}
    for line in ax.lines:
        x, y = line.get_xdata(), line.get_ydata()
        points = [(a, b) for a, b in zip(x, y, strict=True) if np.isfinite(b)]
        found.setdefault(line.get_linestyle(), []).append(points)
    return found


def test_a_branch_is_followed_through_the_point_where_the_order_changes():
    """First order: the upper state is the stable one up to T = 1, then the lower one."""
    ax = curve(scan_of([[0.9, 0.8, 0.2, 0.1], [0.4, 0.3, 0.7, 0.6]]), "T", "m")
    lines = drawn(ax)
    assert [(0, 0.9), (1, 0.8)] in lines["-"]
    assert [(2, 0.2), (3, 0.1)] in lines["-"]
    # The piece between belongs to the metastable side, and the branches do not cross.
    assert [(1, 0.8), (2, 0.7), (3, 0.6)] in lines["--"]
    assert [(0, 0.4), (1, 0.3), (2, 0.2)] in lines["--"]
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["stable", "metastable"]


def test_what_is_unstable_is_dotted():
    ax = curve(scan_of([[0.9, 0.8, 0.7]], stability=[[0.5, 1.5, 1.5]]).squeeze("branch"), "T", "m")
    lines = drawn(ax)
    assert lines["-"] == [[(0, 0.9)]]
    assert lines[":"] == [[(0, 0.9), (1, 0.8), (2, 0.7)]]


def test_a_branch_that_ends_leaves_the_other_alone():
    nan = np.nan
    ax = curve(scan_of([[0.9, 0.8, 0.1], [0.2, 0.15, nan]]), "T", "m")
    lines = drawn(ax)
    assert [(0, 0.9), (1, 0.8)] in lines["-"]
    assert all((2, 0.1) not in points or (1, 0.8) not in points for points in lines["--"])


def test_simulations_are_dots_with_error_bars():
    points = pd.DataFrame({"T": [0.5, 1.5], "m": [0.88, 0.72], "m_error": [0.02, 0.03]})
    ax = curve(scan_of([[0.9, 0.8, 0.7]]), "T", "m", points=points)
    (container,) = ax.containers
    assert container[0].get_xdata().tolist() == [0.5, 1.5]
    segments = [s.tolist() for s in container[2][0].get_segments()]
    assert segments[1] == [[1.5, pytest.approx(0.69)], [1.5, pytest.approx(0.75)]]
    with pytest.raises(ScanError, match="no column 'm'; they have T, overlap"):
        curve(scan_of([[0.9, 0.8]]), "T", "m", points=points[["T"]].assign(overlap=1))


def test_lines_and_regions_of_a_phase_diagram():
    table = pd.DataFrame(
        {"alpha": [0.0, 0.5, 1.0], "T": [1.0, 0.6, 0.1],
         "status": ["converged", "not_converged", "converged"]}
    )  # fmt: skip
    ax = phase_diagram(None, "alpha", "T", lines={"spinodal": table}, regions={"glass": (0.2, 1.5)})
    (line,) = ax.lines
    assert np.isnan(line.get_xdata()).tolist() == [False, True, False]
    assert (ax.get_xlabel(), ax.get_ylabel()) == (r"$\alpha$", "$T$")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["spinodal"]
    assert ax.get_ylim()[1] > 1.5
    with pytest.raises(ScanError, match="spinodal has no column 'h'"):
        phase_diagram(None, "alpha", "h", lines={"spinodal": table})
    with pytest.raises(ScanError, match="need a scan and a quantity"):
        phase_diagram(None, "alpha", "T", "m")


def test_a_line_of_the_solver_brings_its_table_and_its_condition():
    class Line:
        condition = "replicon"

        def to_frame(self):
            return pd.DataFrame({"h": [0.0, 1.0], "T": [1.0, 0.3]})

    ax = phase_diagram(None, "T", "h", lines=[Line()])
    assert ax.lines[0].get_xdata().tolist() == [1.0, 0.3]
    assert ax.get_legend().get_texts()[0].get_text() == "replicon"


def test_equal_figures_are_equal_files_and_unknown_formats_are_named(tmp_path):
    ds = scan_of([[0.9, 0.8, 0.7]])
    files = [save(curve(ds, "T", "m"), tmp_path / name) for name in ("a.pdf", "b.pdf")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert b"/Subtype /Type3" not in files[0].read_bytes()
    with pytest.raises(ScanError, match="Cannot write"):
        save(curve(ds, "T", "m"), tmp_path / "figure.nonsense")


def test_what_is_not_certified_does_not_stretch_the_axes():
    ds = scan_of([[0.9, 0.8, -1e15]], status=[[CONVERGED, CONVERGED, FAILED]])
    ax = curve(ds, "T", "m")
    assert 0.7 < ax.get_ylim()[0] < ax.get_ylim()[1] < 1.0
    assert ax.get_xlim()[1] > 2  # the place is seen
    alone = curve(scan_of([[0.5]], status=[[FAILED]]), "T", "m")
    assert alone.get_ylim()[0] < 0.5 < alone.get_ylim()[1]
