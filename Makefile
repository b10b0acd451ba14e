# Targets for people and CI. Each one creates the environment that it needs from a bare Python.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A separate environment: the compared libraries require other versions of our dependencies.
BENCH_VENV := .venv-bench
FUZZ_VENV := .venv-fuzz
FUZZ_SECONDS ?= 60
MUTANTS_VENV := .venv-mutants
MUTANTS_JOBS ?= 2
# Dependency groups (PEP 735) need pip 25.1.
PIP := -m pip --quiet --disable-pip-version-check install
# The tests of the core alone must cover the core.
CORE_TESTS ?= tests/core

# pytest would rewrite and compile every test in every worker, and each child process that tests start
# would compile the package.
export PYTHONDONTWRITEBYTECODE =

# On all cores; an idle worker takes over tests of a busy one.
PARALLEL := -n auto --dist worksteal

.PHONY: test test-all check format coverage test-servers test-providers docs demo release-check bench fuzz mutants clean

test: $(VENV)/.installed  ## run the tests that need no services; PYTEST_ARGS="-n 0 -k name" selects some
	$(BIN)/python -m pytest $(PARALLEL) -m 'not extended' $(PYTEST_ARGS)

test-all: test  ## run all tests, including those with a browser, servers, Redis, memcached and live providers
	JWKS_LOOP=uvloop $(BIN)/python -m pytest $(PARALLEL) -m 'not extended' tests/client tests/scenarios $(PYTEST_ARGS)
	$(BIN)/python -m pytest -n auto --dist loadfile -m extended $(PYTEST_ARGS)

check: $(VENV)/.installed  ## linters, type checkers and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(VENV)/.installed  ## apply ruff's fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

coverage: $(VENV)/.installed  ## branch coverage of the core by its own tests
	$(BIN)/coverage run -m pytest $(CORE_TESTS)
	$(BIN)/coverage report --include='jwks_client/_core/*' --fail-under=100

test-servers: $(VENV)/.installed  ## the request table against real servers, each in its own process
	$(BIN)/python -m pytest tests/servers $(PYTEST_ARGS)

test-providers: $(VENV)/.installed  ## tests with real providers, installed outside the repository
	$(BIN)/python -m pytest tests/providers_live $(PYTEST_ARGS)

docs: $(VENV)/.installed  ## build the site in docs/_build; a warning or a broken link is an error
	$(BIN)/python -m sphinx -q -W -b html -c docs . docs/_build

demo: $(BIN)/jwks-client  ## demonstrate the library on this machine
	$(BIN)/jwks-client demo

release-check: $(VENV)/.installed  ## build the release, install it and check it
	$(BIN)/python tools/release_check.py

bench: $(BENCH_VENV)/.installed  ## compare with other libraries
	$(BENCH_VENV)/bin/python -m benchmarks

fuzz: $(FUZZ_VENV)/.installed  ## fuzz each parser for FUZZ_SECONDS
	$(FUZZ_VENV)/bin/python -m fuzz --seconds $(FUZZ_SECONDS)

mutants: $(MUTANTS_VENV)/.installed  ## mutation-test the core (ten minutes or more)
	$(MUTANTS_VENV)/bin/python tools/mutants --jobs $(MUTANTS_JOBS)

clean:
	rm -rf $(VENV) $(BENCH_VENV) $(FUZZ_VENV) $(MUTANTS_VENV) docs/_build dist .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) --upgrade 'pip>=25.1'
	$(BIN)/python $(PIP) --editable '.[all]' --group dev
	touch $@

# The demonstration needs only this, which installs much faster than everything for development.
$(BIN)/jwks-client:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) --editable '.[cli]'

$(BENCH_VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python $(PIP) --upgrade 'pip>=25.1'
	$(BENCH_VENV)/bin/python $(PIP) --editable '.[fast,opentelemetry,prometheus,redis]' --group bench
	touch $@

$(FUZZ_VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(FUZZ_VENV)
	$(FUZZ_VENV)/bin/python $(PIP) --upgrade 'pip>=25.1'
	$(FUZZ_VENV)/bin/python $(PIP) --editable '.[fast]' --group fuzz
	touch $@

$(MUTANTS_VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(MUTANTS_VENV)
	$(MUTANTS_VENV)/bin/python $(PIP) --upgrade 'pip>=25.1'
	$(MUTANTS_VENV)/bin/python $(PIP) --editable '.[all]' --group mutants
	touch $@
