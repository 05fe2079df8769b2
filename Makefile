# One word per job. PYTHON is the interpreter that makes the environment, ENV where it lives.
PYTHON ?= python3
ENV ?= .venv
BIN := $(ENV)/bin

.PHONY: setup test catalogue lint types check docs benchmarks

setup:
	$(PYTHON) -m venv $(ENV)
	$(BIN)/python -m pip install -e '.[test,dev]'

$(BIN)/python:
	$(MAKE) setup

test:
	$(BIN)/pytest -n auto

# The tables over every cell of the catalogue, which the tests of every day take a part of.
catalogue:
	$(BIN)/pytest -n auto -m catalogue

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types:
	$(BIN)/mypy

check: lint types test

# The site, in build/site; a warning is an error, which mkdocs forgets with --quiet. PROVE=false leaves out the proofs of all cells, which take a minute.
docs: $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[docs]'
	$(BIN)/mkdocs build --strict

benchmarks:
	$(BIN)/python benchmarks/layer.py
	$(BIN)/python benchmarks/symbolic.py
