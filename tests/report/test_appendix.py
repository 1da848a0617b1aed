"""The appendix of a paper: complete, cited, and LaTeX that compiles where it can be tried."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import replica
from replica.registry import built_in_models, load
from replica.report import citations, write_report
from replica.report.bibliography import cited

ROOT = Path(__file__).parents[2]
MODEL = """
import sympy as sp
from replica import Model, Parameter, Rademacher, Thermal, beta, q

T = Parameter("T", 1.5, (0, 10), "temperature", open="lower")
s = sp.Symbol("s", real=True)
glass = Model(name="my-glass", title="A glass", reference="Smith & Jones, J. Glass 1, 2 (2030)",
              thermal=Thermal(s, Rademacher()), pair=beta**2 * q**2 / 4, temperature=T)
"""


@pytest.fixture(autouse=True)
def _no_window():
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    mpl.use("Agg")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "sk"
    write_report("sherrington-kirkpatrick", path)
    return path


def test_everything_is_there(folder):
    assert {path.name for path in folder.iterdir()} == {
        "main.tex", "main.bbl", "derivation.tex", "tables.tex", "tables.csv", "references.bib",
        "figure.pdf", "figure.csv",
    }  # fmt: skip
    main = (folder / "main.tex").read_text()
    for words in (
        r"\cite{SherringtonKirkpatrick1975}", r"\input{derivation}", r"\input{tables}",
        r"\includegraphics{figure}", "Every point is certified", "replica plot",
        f"replica & {replica.__version__}", "numpy & ", "processor & ",
        f"Python & {sys.version.split()[0]}",
    ):  # fmt: skip
        assert words in main
    assert "sherrington-kirkpatrick-zero-temperature" not in (folder / "tables.csv").read_text()


def test_an_equation_has_one_number(folder):
    derivation = (folder / "derivation.tex").read_text()
    block, _, symbols = derivation.partition(r"\end{align}")
    lines = block.split(r"\\")
    broken = [line for line in lines[1:] if line.lstrip().startswith(r"&\quad")]
    assert broken
    assert block.count(r"\notag") == len(broken)
    assert "temperature" in symbols


def test_the_commands_of_an_appendix_run(folder, tmp_path, run, monkeypatch):
    """The figure's command line draws the same figure, to the last byte."""
    main = (folder / "main.tex").read_text()
    text = re.search(r"\\begin\{verbatim\}\n(.*?)\\end\{verbatim\}", main, re.DOTALL)[1]
    plot = text.replace("\\\n", "").strip().splitlines()[-1].split()
    assert plot[:2] == ["replica", "plot"]
    monkeypatch.chdir(tmp_path)
    assert run(*plot[1:], "--quiet")[0] == 0
    assert (tmp_path / "figure.pdf").read_bytes() == (folder / "figure.pdf").read_bytes()


def test_citations_are_complete_for_every_built_in_model():
    for name, model in built_in_models().items():
        entries = cited(model)
        own = [entry for entry in entries if entry.of == model.reference]
        assert own, name
        assert own[0].kind != "misc", name  # a real entry, not the reference's text
        known = dict(own[0].fields)
        first = known["author"].split(",")[0]
        assert first.replace(r"{\'e}", "e") in model.reference
        assert known["year"] in model.reference or known["year"] in ("2020",)
        assert {"method", "software", "libraries"} <= {entry.of for entry in entries}


def test_citations_of_a_model_of_ones_own(tmp_path):
    path = tmp_path / "glass.py"
    path.write_text(MODEL)
    text = citations(load(path))
    assert text.startswith("@misc{MyGlass,\n  title = {A glass},")
    assert r"note = {Smith \& Jones, J. Glass 1, 2 (2030)}" in text
    assert text.count("@") == text.count("\n}") == 7


def test_the_software_is_cited_as_its_file_says():
    facts = (ROOT / "CITATION.cff").read_text()
    (entry,) = [e for e in cited(load("hopfield")) if e.of == "software"]
    known = dict(entry.fields)
    assert f'title: "{known["title"]}"' in facts
    assert f'name: "{known["author"].strip("{}")}"' in facts


def test_the_command_writes_a_report_of_a_users_own_model(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("glass.py").write_text(MODEL)
    code, out, err = run("report", "glass.py")
    assert (code, err) == (0, "")
    assert out.startswith("Written to out/glass: derivation.tex, references.bib")
    main = Path("out/glass/main.tex").read_text()
    assert r"\input{tables}" not in main  # it has none
    assert "replica report glass.py -o out/glass" in main
    assert run("cite", "glass.py")[1].startswith("@misc{MyGlass")
    Path("out/file").write_text("")
    code, out, err = run("report", "glass.py", "-o", "out/file/x")
    assert (code, out) == (2, "")
    assert "Cannot write 'out/file/x'" in err


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_the_appendix_compiles(folder, tmp_path):
    made = tmp_path / "compiled"
    shutil.copytree(folder, made)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "main"]
    for _ in range(2):
        done = subprocess.run(command, cwd=made, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:]
    log = (made / "main.log").read_text(errors="replace")
    assert "Overfull \\hbox" not in log
    assert "undefined" not in log
