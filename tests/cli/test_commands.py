"""The sub-commands on real models; numbers are compared with the Python interface elsewhere."""

import json
import shlex

import pytest
from fakes import FakeModel, FakeSystem

import replica
from replica.options import starts_of
from replica.scan import read

MODEL = "gaussian-mixture-square"

USER_FILE = """
import sympy as sp
from replica import Model, Parameter, Rademacher, Thermal, beta, q

T = Parameter("T", 1.5, (0, 10), "temperature", open="lower")
s = sp.Symbol("s", real=True)
glass = Model(name="my-glass", title="A glass", thermal=Thermal(s, Rademacher()),
              pair=beta**2 * q**2 / 4, temperature=T)
"""


@pytest.fixture
def user_file(tmp_path):
    path = tmp_path / "glass.py"
    path.write_text(USER_FILE)
    return str(path)


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setitem(vars(replica), "load", lambda name: FakeModel(system=FakeSystem()))


def test_list(run):
    code, out, _ = run("list")
    assert code == 0
    assert any(line.startswith(f"{MODEL} ") for line in out.splitlines())
    models = json.loads(run("list", "--json")[1])
    assert MODEL in [model["name"] for model in models]
    assert all(model["title"] for model in models)


def test_show(run, user_file):
    code, out, _ = run("show", MODEL)
    assert code == 0
    assert "lam    = 1    in [0, inf)  ridge penalty" in out
    assert "test_error" in out
    record = json.loads(run("show", MODEL, "--json")[1])
    assert record["parameters"]["lam"]["symbol"] == "lambda"
    assert record["parameters"]["rho"]["domain"] == "(0, 1)"
    assert "my-glass: A glass" in run("show", user_file)[1]
    assert r"\begin{align}" in run("show", MODEL, "--latex")[1]


def test_an_action_is_a_model_like_others(run, tmp_path):
    name = "attention-paths-denoising"
    code, out, _ = run("show", name)
    assert code == 0
    assert "N        = 100   in (0, inf)  width of every layer" in out
    assert r"\log\det K" in run("show", name, "--latex")[1]
    assert "S = " in run("derive", name)[1]
    code, out, _ = run("check", name, "N=30", "--quiet")
    assert code == 0, out
    solved = json.loads(run("solve", name, "N=30", "--start", "uninformed", "--json")[1])
    assert solved["observables"]["accuracy"] == 0.941
    scan, figure = tmp_path / "scan", tmp_path / "figure.png"
    assert run("scan", name, "N=30,300", "--quiet", "-o", str(scan))[0] == 0
    assert read(f"{scan}.nc").accuracy.values.tolist() == [0.941, 0.853]
    assert run("plot", f"{scan}.nc", "-q", "accuracy", "-o", str(figure))[0] == 0
    code, _, error = run("boundary", name, "spinodal", "N")
    assert code == 2
    assert error == (
        "Error: model attention-paths-denoising: transitions of an action are not located; scan N "
        "and compare branches instead.\n"
    )


def test_derive(run, user_file, tmp_path):
    assert "free entropy = " in run("derive", user_file)[1]
    code, out, _ = run("derive", MODEL, "--latex", "-o", str(tmp_path / "new" / "square.tex"))
    assert (code, out) == (0, "")
    assert r"\begin{align}" in (tmp_path / "new" / "square.tex").read_text()


def test_check(run, user_file):
    code, out, _ = run("check", MODEL, "lambda=0.1")
    assert code == 0
    assert f"{MODEL}: passed" in out
    assert "lam = 0.1" in out
    code, out, _ = run("check", user_file, "T=2", "--json")
    record = json.loads(out)
    assert (code, record["passed"], record["parameters"]) == (0, True, {"T": 2.0})
    assert "gradient" in " ".join(item["name"] for item in record["items"])


def test_a_failed_check_exits_with_one(run):
    code, out, _ = run("check", MODEL, "lam=0", "alpha=1")
    assert code == 1
    assert "FAIL  solution" in out


def test_solve(run, user_file):
    code, out, err = run("solve", MODEL, "alpha=2", "lambda=1e-2")
    assert code == 0
    assert "converged" in out
    assert err == ""
    record = json.loads(run("solve", MODEL, "alpha=2", "lam=1/100", "--json")[1])
    assert record["status"] == "converged"
    expected = replica.load(MODEL).solve(alpha=2, lam=0.01)
    assert record["order_parameters"]["m"] == pytest.approx(expected["m"], rel=1e-9)
    assert run("solve", user_file, "T=2", "--start", "informed")[0] == 0
    assert run("solve", user_file, "T=0.5", "--start", "q=0.9", "--damping", "0.3")[0] == 0


def test_a_solve_without_solution_says_so_and_exits_with_one(run):
    code, out, err = run("solve", "gaussian-mixture-hinge", "lam=0", "alpha=1", "--json")
    assert code == 1
    assert json.loads(out)["status"] == "at_boundary"
    assert err.startswith("Not certified: ")


def test_numbers_that_json_does_not_know_become_null(run):
    record = json.loads(run("solve", "gaussian-mixture-hinge", "lam=0", "alpha=1", "--json")[1])
    assert record["error"]["m"] is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["solve", MODEL, "beta=1"], "no parameter 'beta'"),
        (["solve", MODEL, "alpha=-1"], "'alpha' = -1 is outside"),
        (["solve", MODEL, "lam=1", "lambda=2"], "given twice"),
        (["solve", MODEL, "--start", "hopeful"], "start 'hopeful'"),
        (["solve", MODEL, "--start", "z=1"], "'z'"),
        (["solve", MODEL, "--damping", "2"], "damping"),
        (["solve", MODEL, "--backend", "fortran"], "'fortran'"),
        (["scan", MODEL, "alpha=-1:1:3"], "'alpha' = -1 is outside"),
        (["scan", MODEL, "alpha=1"], "at least one axis"),
        (["scan", MODEL, "alpha=1:2:3", "--warm-axis", "rho"], "not an axis"),
        (["scan", MODEL, "alpha=1:2:3", "--observable", "mass"], "no observable 'mass'"),
        (["plot", MODEL, "alpha=1:2:3", "-q", "mass", "--quiet"], "no variable 'mass'"),
        (["plot", MODEL, "alpha=1:2:3", "-q", "q", "-x", "beta", "--quiet"], "no axis 'beta'"),
        (["show", "gaussian-mixture-sqare"], "did you mean 'gaussian-mixture-square'"),
    ],
)
def test_mistakes_about_a_model_are_one_sentence(run, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*words)
    assert code == 2
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_scan_writes_both_files_and_plot_reads_one(run, tmp_path):
    base = tmp_path / "new" / "run.1"
    ranges = ["alpha=0.5:4:4", "lambda=0.01:1:3:log", "rho=0.3"]
    code, out, _ = run("scan", MODEL, *ranges, "-o", str(base), "--quiet")
    assert code == 0
    assert out.startswith("12 points, all converged; written to ")
    ds = read(f"{base}.nc")
    assert ds["test_error"].dims == ("alpha", "lam")
    assert len((tmp_path / "new" / "run.1.csv").read_text().splitlines()) == 13
    for options in (["-x", "alpha"], ["-x", "lambda", "--log-x"], ["-y", "lambda", "--log-y"]):
        figure = tmp_path / "figure.png"
        code, _, err = run("plot", f"{base}.nc", "-q", "test_error", *options, "-o", str(figure))
        assert (code, err) == (0, "")
        assert figure.stat().st_size > 1000
        figure.unlink()


def test_plot_scans_a_model_for_it(run, tmp_path):
    figure = tmp_path / "figure.svg"
    assert run("plot", MODEL, "alpha=1:2:3", "-q", "q", "--quiet", "-o", str(figure))[0] == 0
    assert figure.stat().st_size > 1000
    code, _, err = run("plot", MODEL, "alpha=1:2:3", "-q", "q", "--quiet", "-o", "x.nonsense")
    assert code == 2
    assert "Cannot write 'x.nonsense'" in err


def test_scan_as_json(run, tmp_path):
    _, out, _ = run("scan", MODEL, "alpha=1:2:3", "-o", str(tmp_path / "s.nc"), "--json", "--quiet")
    record = json.loads(out)
    assert record["points"] == 3
    assert record["status"] == {"converged": 3}
    assert record["files"] == [str(tmp_path / "s.nc"), str(tmp_path / "s.csv")]
    assert record["store"] == str(tmp_path / "s.sqlite")
    assert (record["complete"], record["failures"]) == (True, [])


@pytest.mark.usefixtures("fake")
def test_scan_lists_what_did_not_converge(run, tmp_path):
    out = str(tmp_path / "s")
    code, text, err = run("scan", "any", "h=1:7:7", "beta=1", "-o", out, "--quiet")
    assert code == 0
    assert text.startswith("7 points, 2 not converged; ")
    assert err.splitlines() == [
        "Without a certified solution:",
        "  h = 6: not converged",
        "  h = 7: not converged",
        "A retry tries them again with more careful settings: --retry, or retry=True.",
    ]
    _, _, err = run("scan", "any", "h=1:7:7", "-o", out, "--quiet", "--retry")
    assert len(err.splitlines()) == 3
    record = json.loads(run("scan", "any", "h=1:7:7", "-o", out, "--quiet", "--json")[1])
    assert [failed["h"] for failed in record["failures"]] == [6.0, 7.0]


@pytest.mark.usefixtures("fake")
def test_an_interrupted_scan_keeps_its_rows(run, tmp_path):
    ranges = ["h=1,2,9", "beta=0.1:1:64"]
    words = ["scan", "any", *ranges, "-n", "1", "-o", str(tmp_path / "s"), "--quiet"]
    code, out, err = run(*words)
    assert code == 130
    assert out.startswith("192 points, 64 cancelled; ")
    assert f"the same command or call goes on with what is kept in '{tmp_path}/s.sqlite'" in err
    ds = read(tmp_path / "s.nc")
    assert ds.attrs["complete"] == 0
    assert ds.attrs["command"] == shlex.join(["replica", *words])


def test_scan_in_both_directions(run, tmp_path):
    words = ["scan", "hopfield-zero-temperature", "alpha=0.1:0.2:11", "--quiet"]
    options = ["--start", "informed", "--start", "uninformed", "--direction", "both"]
    store = tmp_path / "other.sqlite"
    code, out, err = run(*words, *options, "-o", str(tmp_path / "s"), "--store", str(store))
    assert (code, err) == (0, "")
    assert out.startswith("11 points, all converged")
    ds = read(tmp_path / "s.nc")
    assert ds["m"].dims == ("alpha", "branch")
    figure = tmp_path / "m.png"
    assert run("plot", str(tmp_path / "s.nc"), "-q", "m", "-o", str(figure))[0] == 0
    assert ds.attrs["sweeps"] == "informed up, informed down, uninformed up, uninformed down"
    assert store.exists()
    assert len((tmp_path / "s.csv").read_text().splitlines()) == 1 + 11 + 4


def test_a_start_of_several_words_is_one_start():
    assert starts_of(("m=0.5", "informed", "q=0.3")) == ["informed", {"m": 0.5, "q": 0.3}]
    assert starts_of(("m=0.5", "q=0.3")) == {"m": 0.5, "q": 0.3}
    assert starts_of(("informed",)) == "informed"
    assert starts_of(()) is None


def test_a_capacity(run, tmp_path):
    code, out, _ = run("solve", "manifold-balls", "R=1", "D=2", "--json")
    record = json.loads(out)
    assert (code, record["status"], record["method"]) == (0, "converged", "quadrature")
    assert record["order_parameters"]["alpha"] == pytest.approx(2 / 3, abs=1e-12)
    words = ("solve", "manifold-balls-contexts", "--samples", "1024", "--seed", "5", "--json")
    record = json.loads(run(*words)[1])
    assert (record["samples"], record["seed"], record["method"]) == (1024, 5, "sampling")
    assert "radius of the first axis" in run("show", "manifold-ellipses")[1]
    assert r"\mathcal{K}" in run("derive", "--latex", "manifold-ellipses")[1]
    code, out, _ = run("scan", "manifold-segments", "R=0.1:1:3", "--quiet", "-o",
                       str(tmp_path / "s"))  # fmt: skip
    assert (code, out.split(",")[0]) == (0, "3 points")
    code, _, err = run("solve", "manifold-balls", "--damping", "0.5")
    assert code == 2
    assert "--damping has no meaning for the model 'manifold-balls'" in err
    code, _, err = run("solve", MODEL, "--samples", "100")
    assert (code, "samples must be an integer from 1024" in err) == (2, True)
