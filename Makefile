# What people and CI both run. Each target makes the environment it needs from a bare Python.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Apart, because what the benchmarks compare with brings its own versions of what we depend on.
BENCH_VENV := .venv-bench
INSTALL := -m pip install --quiet --disable-pip-version-check --editable
# The core is covered by its own tests, which are pure; what else runs it does not count.
CORE_TESTS ?= tests/core

.PHONY: test check format coverage demo bench clean

test: $(VENV)/.installed  ## all tests
	$(BIN)/python -m pytest

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

demo: $(VENV)/.installed  ## the library at work, on this machine alone
	$(BIN)/jwks-client demo

bench: $(BENCH_VENV)/.installed  ## this library beside others
	$(BENCH_VENV)/bin/python -m benchmarks

clean:
	rm -rf $(VENV) $(BENCH_VENV) dist .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(INSTALL) '.[dev]'
	touch $@

$(BENCH_VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python $(INSTALL) '.[bench]'
	touch $@
