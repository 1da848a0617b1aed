"""Every page of the documents runs, and shows what comes out."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


docs = _load("pages")
PAGES = docs.pages()
LINK = re.compile(r"!?\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def _name(path):
    return str(path.relative_to(ROOT))


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_the_code_of_a_page_gives_the_results_that_it_shows(page):
    for shown in docs.run_page(page):
        assert shown.agrees, (
            f"{_name(page)}, line {shown.block.line}: 'python docs/pages.py {_name(page)}' would "
            f"write\n{shown.actual}\ninstead of\n{shown.block.body}"
        )


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_the_links_of_a_page_lead_somewhere(page):
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_result_of_a_page_is_marked_as_one(page):
    kinds = {(b.kind, bool(b.mark)) for b in docs.blocks(page.read_text(encoding="utf-8"))}
    assert ("text", False) not in kinds


def test_a_number_may_differ_in_its_last_digits_only():
    assert docs.same_text("m = 1.2345678901", "m  =  1.2345678902\n")
    assert not docs.same_text("m = 1.2345", "m = 1.2346")
    assert not docs.same_text("m = 1", "q = 1")


@pytest.mark.parametrize("figure", sorted((ROOT / "docs/figures").glob("*.png")), ids=_name)
def test_a_figure_is_small_and_shown_somewhere(figure):
    assert figure.stat().st_size < 150_000
    assert any(figure.name in page.read_text(encoding="utf-8") for page in PAGES)


def test_every_figure_has_a_function_that_draws_it():
    drawn = set(_load("make_figures").FIGURES)
    assert {path.stem for path in (ROOT / "docs/figures").glob("*.png")} == drawn
