# Every target works on a fresh clone: the environment in .venv is made when it is missing.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# "auto" would start one worker a core of the machine, also where only a few may be used.
JOBS ?= 2

.PHONY: help install demo test lint format benchmark clean

help:
	@echo "make demo       learning curves of the Gaussian mixture, under out/"
	@echo "make test       the tests"
	@echo "make lint       style and types"
	@echo "make format     rewrite the sources in the house style"
	@echo "make benchmark  timings, as a table"
	@echo "make clean      remove what the other targets made"

install: $(VENV)/.installed
demo: $(VENV)/.installed
	$(BIN)/python examples/learning_curve.py --out out

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n $(JOBS) $(PYTEST)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

benchmark: $(VENV)/.installed
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) out build dist *.egg-info

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "replica needs Python 3.11 or later, set PYTHON=")'
	$(PYTHON) -m venv $(VENV)

# Stamps, so that an unchanged pyproject.toml installs nothing twice.
$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.installed
