"""Regression tables of a small model: what is computed, stored, compared and refused."""

import csv
import io
import math

import pytest

from replica.errors import ConvergenceError, ModelNotFoundError, TableError
from replica.report.regression import check, generate, read_tables, tables_of
from replica.report.regression.compute import Entry
from replica.report.regression.digits import Measured, rounded
from replica.report.regression.storage import agrees

MODEL = """
import sympy as sp
from replica import Model, Parameter, Spherical, Thermal, beta, q

T = Parameter("T", 1.5, (0, 10), "temperature", open="lower")
h = Parameter("h", 0.5, doc="field")
s = sp.Symbol("s", real=True)
glass = Model(name="glass", title="A glass", reference="A paper & a half",
              thermal=Thermal(s, Spherical(), penalty=-h * s), pair=beta**2 * q**2 / 4,
              temperature=T)
"""

# Kosterlitz, Thouless & Jones (1976): q = 1 - T and E = -1 + T/2 without a field.
TABLE = """
title = "Spherical glass"

[[table]]
title = "Below the transition"
model = "glass.py"
quantities = ["q", "energy"]
parameters = { h = 0 }
provenance = "closed form"
source = "q = 1 - T, E = -1 + T/2"

[[table.row]]
parameters = { T = 0.5 }
[table.row.reference]
q = "0.5000000000"
energy = "-0.7500000000"

[[table.row]]
parameters = { T = 0.25 }
[table.row.reference]
q = "0.7500000000"

[[table]]
title = "Best temperature"
model = "glass.py"
quantities = ["T", "score"]
layout = "long"

[[table.row]]
optimum = { parameter = "T", minimise = "score", bracket = [0.1, 3] }
[table.row.reference]
T = { value = 1.5, tolerance = 1e-6, provenance = "published", source = "by hand" }
"""


@pytest.fixture
def folder(tmp_path):
    # A quantity with a known minimum in T: (log(T/1.5))^2 - 1, whatever the order parameters are.
    scored = MODEL.replace(
        "temperature=T)",
        'temperature=T, observables={"score": sp.log(T / sp.Rational(3, 2))**2 - 1 + 0 * q})',
    )
    (tmp_path / "glass.py").write_text(scored)
    (tmp_path / "glass.toml").write_text(TABLE)
    return tmp_path


def changed(folder, old, new, name="glass.toml"):
    path = folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


def rows_of(folder):
    return list(csv.DictReader(io.StringIO((folder / "glass.csv").read_text())))


def test_generated_tables_agree_with_themselves_and_stay_as_they_are(folder):
    report, files = generate(folder / "glass.toml")
    assert report.passed, str(report)
    assert [file.name for file in files] == ["glass.csv", "glass.md", "glass.tex"]
    assert (report.numbers, report.references) == (6, 4)
    rows = rows_of(folder)
    assert [row["value"] for row in rows[:3]] == ["0.5", "-0.75", "0.75"]
    assert rows[0]["parameters"] == "T = 0.5, h = 0"
    assert rows[0]["provenance"] == "closed form"
    assert rows[3]["provenance"] == "computed"
    before = [file.read_bytes() for file in files]
    assert check(folder / "glass.toml").passed
    generate(folder / "glass.toml")
    assert [file.read_bytes() for file in files] == before


def test_the_optimum_is_found_and_knows_how_flat_it_is(folder):
    generate(folder / "glass.toml")
    place, score = rows_of(folder)[-2:]
    assert float(place["value"]) == pytest.approx(1.5, abs=float(place["uncertainty"]))
    # Rounding of the score, some 1e-16, moves the minimum by its square root.
    assert 1e-9 < float(place["uncertainty"]) < 1e-6
    assert float(score["value"]) == pytest.approx(-1, abs=1e-10)
    outside = changed(folder, "bracket = [0.1, 3]", "bracket = [2, 3]")
    assert "no minimum in T inside the bracket" in str(generate(outside)[0])


def test_a_local_minimum_is_not_the_least_value_of_a_bracket(folder):
    """The score is least at the lower end of the bracket; a local minimum lies beside it."""
    generate(folder / "glass.toml")
    cells = "(sp.log(T / sp.Rational(1, 10)) / sp.log(30) * 32)"
    score = f'"score": {cells} / 10 - sp.cos(4 * sp.pi * {cells} / 3) + 0 * q'
    changed(folder, '"score": sp.log(T / sp.Rational(3, 2))**2 - 1 + 0 * q', score, "glass.py")
    assert "no minimum in T inside the bracket" in str(generate(folder / "glass.toml")[0])


def test_a_wrong_reference_is_shown_with_its_source(folder):
    path = changed(folder, '"0.5000000000"', '"0.5000000010"')
    report, _ = generate(path)
    text = str(report)
    assert not report.passed
    assert "1 difference" in text
    assert "glass.py, T = 0.5, h = 0: q" in text
    assert "differs by 1.0e-09" in text
    assert "q = 1 - T, E = -1 + T/2" in text
    assert not check(path).passed


def test_a_changed_model_is_seen_as_such(folder):
    """A model whose numbers moved by 1e-7 differs from what is stored, where nothing else tells."""
    generate(folder / "glass.toml")
    changed(folder, "beta**2 * q**2 / 4", "(1 + sp.Float('1e-7')) * beta**2 * q**2 / 4", "glass.py")
    text = str(check(folder / "glass.toml"))
    assert "stored" in text
    assert "reference" in text
    assert math.isclose(float(rows_of(folder)[0]["value"]), 0.5)


def test_new_and_old_rows_are_told_apart(folder):
    generate(folder / "glass.toml")
    text = str(check(changed(folder, "T = 0.25", "T = 0.2")))
    assert "T = 0.2, h = 0: q\n    is not stored" in text
    assert "T = 0.25, h = 0, q\n    is stored and no longer declared" in text


def test_files_changed_by_hand_are_named(folder):
    path = folder / "glass.toml"
    generate(path)
    changed(folder, "Spherical glass", "Glass", "glass.md")
    assert "glass.md is not what the declaration gives" in str(check(path))
    (folder / "glass.tex").unlink()
    assert "glass.tex is missing" in str(check(path))


def test_digits_on_the_edge_do_not_flip(folder):
    """A stored number that agrees is kept, although rounding anew would print another one."""
    generate(folder / "glass.toml")
    # What another processor could have stored: off by one in the last digit, within its error.
    target = changed(folder, ",0.5,5e-11,", ",0.5000000001,1e-10,", "glass.csv")
    generate(folder / "glass.toml")
    assert ",0.5000000001,1e-10," in target.read_text()


def test_a_row_without_a_solution_is_a_dash_and_a_difference(folder):
    path = changed(
        folder,
        "optimum = {",
        'boundary = { parameter = "T", condition = "q=2", bracket = [1, 2] }\n#',
    )
    report, _ = generate(path)
    assert "has no certified value" in str(report)
    assert "| $T$ | – |" in (folder / "glass.md").read_text()


def test_a_row_that_fails_on_one_machine_keeps_its_stored_numbers(folder, monkeypatch):
    path = folder / "glass.toml"
    _, files = generate(path)
    before = [file.read_bytes() for file in files]

    def fails(*_arguments):
        raise ConvergenceError("out of luck")

    monkeypatch.setattr("replica.report.regression.answer.optimum", fails)
    report, _ = generate(path)
    assert str(report).count("has no certified value: out of luck") == 2
    assert [file.read_bytes() for file in files] == before
    assert not check(path).passed


@pytest.mark.parametrize(
    ("gap", "error", "same"),
    [
        (0.9, 0.0, True),
        (1.1, 0.0, False),
        (1.4, 0.5, True),
        (1.6, 0.5, False),
        (1.9, 9.0, True),
        (2.1, 9.0, False),
        (0.0, 11.0, False),
    ],
)
def test_a_stored_number_may_drift_by_the_combined_uncertainties(gap, error, same):
    """A recomputation that is less certain than what is stored excuses no larger drift."""
    stored = Measured(0.5, 1e-8)
    value, error = 0.5 + gap * 1e-8, error * 1e-8
    entry = Entry("", "", {}, "", "", "q", value, error, rounded(value, error), None)
    assert agrees(entry, stored) is same


def test_markdown_and_latex(folder):
    generate(folder / "glass.toml")
    markdown = (folder / "glass.md").read_text()
    assert "| $T$ | $q$ | energy |" in markdown
    assert "| 0.5 | 0.5000000000 | -0.7500000000 |" in markdown
    assert "3 of 3 values agree within the tolerance." in markdown
    latex = (folder / "glass.tex").read_text()
    assert r"\begin{tabular}{S[table-format=1.2]S[table-format=1.10]S[table-format=-1.10]}" in latex
    assert r"{$T$} & {$q$} & {energy} \\" in latex
    assert latex.count(r"\begin{table}") == latex.count(r"\toprule") == 2


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("title = \"Spherical glass\"", "", "'title' is missing"),
        ("layout = \"long\"", "layout = \"round\"", "layout 'round' is unknown"),
        ("layout = \"long\"", "digits = 99", "'digits' must be an integer"),
        ("layout = \"long\"", "colour = 1", "'colour' is no key of a table"),
        ('q = "0.7500000000"', 'm = "0.75"', "the reference of 'm' is none of"),
        ('q = "0.7500000000"', 'q = 0.75', "expected the digits as a text"),
        ('q = "0.7500000000"', 'q = "1"', "does not say how exact it is"),
        ('"closed form"', '"hearsay"', "the provenance 'hearsay' is unknown"),
        ("T = 0.25", "beta = 0.25", "no parameter 'beta'"),
        ("T = 0.25", "T = -1", "'T' = -1 is outside"),
        ("T = 0.25", 'T = "x"', "'parameters' must be names with numbers"),
        ('["q", "energy"]', '["q", "energy", "mass"]', "no quantity 'mass'"),
        ('["q", "energy"]', '"q"', "'quantities' must be a list"),
        ("T = 0.25", "T = 0.5", "declared twice"),
        ("title = \"Spherical glass\"", "title = \"x\"\nfigure = 3", "in double brackets"),
        ("bracket = [0.1, 3] }", "bracket = 3 }", "expected a bracket"),
        ('title = "Spherical glass"', "title = ", "is not a TOML file"),
    ],
)  # fmt: skip
def test_mistakes_name_the_place(folder, old, new, words):
    path = folder / "glass.toml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(TableError, match=words) as caught:
        generate(path)
    assert "\n" not in str(caught.value)
    assert not (folder / "glass.csv").exists()


def test_a_model_that_is_not_there_is_named(folder):
    with pytest.raises(ModelNotFoundError, match=r"nowhere\.py"):
        generate(changed(folder, '"glass.py"', '"nowhere.py"'))


def test_finding_tables(tmp_path, monkeypatch):
    assert [path.stem for path in tables_of("hopfield-zero-temperature")] == ["hopfield"]
    assert [path.stem for path in tables_of("gaussian-mixture")] == ["gaussian_mixture"]
    with pytest.raises(TableError, match="did you mean 'krauth-mezard'"):
        tables_of("kraut-mezard")
    with pytest.raises(TableError, match=r"no file 'mine\.toml'"):
        tables_of("mine.toml")
    monkeypatch.setattr("replica.report.regression.find.FOLDER", tmp_path)
    with pytest.raises(TableError, match="they come with the source tree"):
        tables_of("hopfield")


def test_the_command(run, folder):
    path = str(folder / "glass.toml")
    code, out, err = run("table", path, "-o", str(folder / "made"), "--quiet")
    assert (code, err) == (0, "")
    assert out.startswith("glass: 6 numbers, 4 with a reference, all agree\n  written to ")
    assert (folder / "made" / "glass.tex").is_file()
    assert not (folder / "glass.csv").exists()
    code, out, _ = run("table", "--check", path, "--quiet")
    assert code == 1
    assert "glass.csv is missing" in out
    changed(folder, '"0.5000000000"', '"0.6"')
    assert run("table", path, "--quiet")[0] == 1
    assert run("table", "--check", path, "-o", "x")[0] == 2
    code, out, err = run("table", "no-such-model")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1


def test_reading_keeps_what_was_declared(folder):
    file = read_tables(folder / "glass.toml")
    assert file.models == ("glass.py",)
    first, second = file.tables
    assert first.rows[1].parameters == {"T": 0.25, "h": 0.0}
    assert first.rows[0].references["energy"].tolerance == pytest.approx(0.5e-10, rel=0.01)
    assert second.rows[0].kind == "optimum"
