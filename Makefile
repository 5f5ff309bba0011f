# Everything here works on a machine with only Python 3.11 or newer and make.
# `make demo` shows the product; `make test` is what CI runs.

PYTHON ?= python3
SEED   ?= 0
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# planet 3 does not share an environment with planet 2.14: a test runs it from one of its own.
PLANET_3 := $(VENV)/planet-3
# A uv on the PATH is used as it is; without one, setup puts the pinned uv into .venv.
UV     := $(or $(shell command -v uv 2>/dev/null),$(BIN)/uv)
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
           --no-emit-index-url --no-emit-find-links --no-header

.DEFAULT_GOAL := help
.PHONY: help setup test lint format types unit chaos restarts kills schema screenshots docs demo lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) $(PLANET_3)/.ready  ## install everything into .venv (quick when nothing changed)

$(READY): requirements/dev.txt requirements/uv.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." \
	       "Name another: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@test -x $(BIN)/python || $(MAKE) --no-print-directory venv
	@test -x "$(UV)" || $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --require-hashes --requirement requirements/uv.txt
	@echo "installing the pinned requirements into $(VENV)"
	@$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes --requirement requirements/dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(PLANET_3)/.ready: requirements/planet-3.txt | $(READY)
	@$(UV) venv --quiet --allow-existing --python $(BIN)/python $(PLANET_3)
	@echo "installing planet 3 into $(PLANET_3)"
	@$(UV) pip sync --quiet --compile-bytecode --python $(PLANET_3)/bin/python --require-hashes requirements/planet-3.txt
	@touch $@

.PHONY: venv
venv:
	@if command -v uv >/dev/null 2>&1; then uv venv --quiet --allow-existing --python "$(PYTHON)" $(VENV); \
	elif $(PYTHON) -c 'import ensurepip' 2>/dev/null; then $(PYTHON) -m venv $(VENV); \
	else echo "This Python has no ensurepip: install its venv package (Debian: python3-venv), or uv." >&2; exit 1; fi

test: setup lint types  ## lint, type-check and run the whole test suite
	$(BIN)/pytest --numprocesses 3  # most of them wait for something: two would leave half of two cores idle

lint: setup  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: setup  ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: setup  ## mypy, strict
	$(BIN)/mypy

unit: setup  ## only the tests that open no socket
	$(BIN)/pytest tests/unit

chaos: $(READY)  ## kill, freeze and restart a fleet of 1,000 orders for some minutes; SEED=7 decides how
	@$(BIN)/python -m tests.chaos --seed $(SEED)

restarts: $(READY)  ## restart Valkey twenty times under load, and see that no worker ends and nothing is lost
	@$(BIN)/python -m tests.chaos --seed $(SEED) --orders 300 --kill-every 0 --restarts 20

kills: setup  ## kill a worker at each call of a run, one after another, and hold every outcome against the promise
	@KILLS=all $(BIN)/pytest tests/kills --quiet --capture=no

schema: setup  ## hold the HTTP API against its OpenAPI document with thousands of requests
	@SCHEMA_EXAMPLES=300 $(BIN)/pytest tests/integration/web/test_document.py --numprocesses 2 --dist load --timeout 900

screenshots: $(READY)  ## take the pictures in docs/images of a fleet at work, with Chromium
	@$(BIN)/python -m tests.browser.screenshots

docs: $(READY)  ## write docs/reference from the docstrings
	$(BIN)/python docs/make_reference.py

demo: $(READY)  ## two workers, a web page and a simulated Planet: 24 orders from request to verified files
	@$(BIN)/planet-orders demo

lock: setup  ## compile requirements/*.txt from pyproject.toml
	$(COMPILE) pyproject.toml --output-file requirements/run.txt
	$(COMPILE) pyproject.toml --group dev --constraints requirements/run.txt --output-file requirements/dev.txt
	echo uv | $(COMPILE) - --constraints requirements/dev.txt --output-file requirements/uv.txt
	echo planet==3.7.0 | $(COMPILE) - --output-file requirements/planet-3.txt

clean:  ## remove what setup, tests and demo made
	rm -rf $(VENV) .demo .planet-orders .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist *.egg-info
