# `make demo` and `make test` set everything up themselves; all they need is python3 (3.11 or newer, with venv) and make.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PORT ?= 8000
DATA ?= faktura-demo
KILLS ?= 1000

.PHONY: demo test soak check lock clean

demo: $(VENV)/installed
	$(BIN)/faktura demo --port $(PORT) --data $(DATA)

test: $(VENV)/installed-dev check
	$(BIN)/python -m pytest -n 2 -q

# Kill servers, commands and PostgreSQL under load, KILLS times on each engine; some twenty minutes each for a thousand.
soak: $(VENV)/installed-dev
	$(BIN)/python -m tests.crash.soak --kills $(KILLS)

check: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/installed: requirements/product.txt requirements/build.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/product.txt -r requirements/build.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements/dev.txt
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	touch $@

COMPILE = $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --upgrade

# Newer versions of everything: run, test, commit the three files.
lock: $(VENV)/installed-dev
	$(BIN)/python -m pip install --quiet uv
	$(COMPILE) -o requirements/product.txt pyproject.toml
	$(COMPILE) -o requirements/build.txt --group build
	$(COMPILE) -c requirements/product.txt -o requirements/dev.txt --group dev

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
