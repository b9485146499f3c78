# `make demo` and `make test` set everything up themselves; all they need is python3 (3.11 or newer, with venv) and make.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PORT ?= 8000
DATA ?= faktura-demo
KILLS ?= 1000
BENCH = .venv-bench

.PHONY: demo test soak bench bench-large check lock clean

demo: $(VENV)/installed
	$(BIN)/faktura demo --port $(PORT) --data $(DATA)

test: $(VENV)/installed-dev check
	$(BIN)/python -m pytest -n 3 -q

# Kill servers, commands and PostgreSQL under load, KILLS times on each engine; some twenty minutes each for a thousand.
soak: $(VENV)/installed-dev
	$(BIN)/python -m tests.crash.soak --kills $(KILLS)

# Some twenty minutes on two cores; wrk is Debian's package. `make bench ARGS=--quick` shows in a minute or two that everything works.
bench: $(BENCH)/installed
	$(BENCH)/bin/python -m bench $(ARGS)

# Ledgers of a million and ten million invoices, 12 GB in bench/large/, built once; `make bench` measures with them where they are.
bench-large: $(BENCH)/installed
	$(BENCH)/bin/python -m bench.large

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

$(VENV)/installed-dev: $(VENV)/installed requirements/dev.txt requirements/rules.txt
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/rules.txt
	touch $@

$(BENCH)/installed: requirements/product.txt requirements/build.txt requirements/bench.txt pyproject.toml
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --require-hashes -r requirements/product.txt -r requirements/build.txt
	$(BENCH)/bin/python -m pip install --quiet --require-hashes -r requirements/bench.txt
	$(BENCH)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

COMPILE = $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --upgrade

# Newer versions of everything: run, test, commit the five files.
lock: $(VENV)/installed-dev
	$(BIN)/python -m pip install --quiet uv
	$(COMPILE) -o requirements/product.txt pyproject.toml
	$(COMPILE) -o requirements/build.txt --group build
	$(COMPILE) -c requirements/product.txt -o requirements/dev.txt --group dev
	$(COMPILE) -c requirements/product.txt -o requirements/bench.txt --group bench
	$(COMPILE) --no-deps -o requirements/rules.txt --group rules

clean:
	rm -rf $(VENV) $(BENCH) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
