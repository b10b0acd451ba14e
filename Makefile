# What people and CI both run. Each target makes the environment it needs from a bare Python.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Apart, because what the benchmarks compare with brings its own versions of what we depend on.
BENCH_VENV := .venv-bench
FUZZ_VENV := .venv-fuzz
FUZZ_SECONDS ?= 60
MUTANTS_VENV := .venv-mutants
MUTANTS_JOBS ?= 2
INSTALL := -m pip install --quiet --disable-pip-version-check --editable
# The core is covered by its own tests, which are pure; what else runs it does not count.
CORE_TESTS ?= tests/core

# All cores; a worker that has nothing left to run takes tests from another.
PARALLEL := -n auto --dist worksteal

.PHONY: test test-all check format coverage test-servers test-providers docs demo release-check bench fuzz mutants clean

test: $(VENV)/.installed  ## the tests that need no service; PYTEST_ARGS="-n 0 -k name" for some
	$(BIN)/python -m pytest $(PARALLEL) -m 'not extended' $(PYTEST_ARGS)

test-all: test  ## all tests: a browser, servers, Redis, memcached, live providers too
	$(BIN)/python -m pytest -n auto --dist loadfile -m extended $(PYTEST_ARGS)

check: $(VENV)/.installed  ## all that reads the code and does not run it
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(VENV)/.installed  ## mend what ruff can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

coverage: $(VENV)/.installed  ## every branch of the core, by the core's own tests
	$(BIN)/coverage run -m pytest $(CORE_TESTS)
	$(BIN)/coverage report --include='jwks_client/_core/*' --fail-under=100

test-servers: $(VENV)/.installed  ## the request table against real servers, each a process
	$(BIN)/python -m pytest tests/servers $(PYTEST_ARGS)

test-providers: $(VENV)/.installed  ## providers that others wrote, installed outside the repository
	$(BIN)/python -m pytest tests/providers_live $(PYTEST_ARGS)

docs: $(VENV)/.installed  ## the site, in docs/_build; a warning or a broken link is an error
	$(BIN)/python -m sphinx -q -W -b html -c docs . docs/_build

demo: $(VENV)/.installed  ## the library at work, on this machine alone
	$(BIN)/jwks-client demo

release-check: $(VENV)/.installed  ## build the release, and install and examine what was built
	$(BIN)/python tools/release_check.py

bench: $(BENCH_VENV)/.installed  ## this library beside others
	$(BENCH_VENV)/bin/python -m benchmarks

fuzz: $(FUZZ_VENV)/.installed  ## each parser for FUZZ_SECONDS, guided by coverage
	$(FUZZ_VENV)/bin/python -m fuzz --seconds $(FUZZ_SECONDS)

mutants: $(MUTANTS_VENV)/.installed  ## would the core's tests notice a broken core? (ten minutes and more)
	$(MUTANTS_VENV)/bin/python tools/mutants --jobs $(MUTANTS_JOBS)

clean:
	rm -rf $(VENV) $(BENCH_VENV) $(FUZZ_VENV) $(MUTANTS_VENV) docs/_build dist .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(INSTALL) '.[dev]'
	touch $@

$(BENCH_VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python $(INSTALL) '.[bench]'
	touch $@

$(FUZZ_VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(FUZZ_VENV)
	$(FUZZ_VENV)/bin/python $(INSTALL) '.[fuzz]'
	touch $@

$(MUTANTS_VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(MUTANTS_VENV)
	$(MUTANTS_VENV)/bin/python $(INSTALL) '.[test,mutants]'
	touch $@
