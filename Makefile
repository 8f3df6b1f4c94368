# One command per intent. Everything happens in .venv, which the first command makes.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: serve test check format lock train clean

.venv/serve: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) --editable .
	touch $@

.venv/develop: .venv/serve
	$(PIP) --editable '.[train,dev]'
	touch $@

serve: .venv/serve  ## install, then serve the bundle that ships on http://127.0.0.1:8000
	$(BIN)/mt serve

test: .venv/develop  ## install, then run all tests, a file of them on each processor
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist loadfile

check: .venv/develop  ## style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/develop  ## put the code into its style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

train: .venv/develop  ## train the model that ships: make train CORPORA=folder
	$(BIN)/mt train training/recipes/phrases-de-en-senses-more.toml data.root=$(CORPORA)

lock: .venv/develop  ## pin what is installed now
	$(BIN)/pip freeze --exclude-editable | sed 's/+cpu$$//' > constraints.txt

clean:  ## remove the environment and caches, never the workspace
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist build
