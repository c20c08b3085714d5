# The everyday commands. `make` alone lists them.
# Needs python3 (3.11 or newer), python3-venv, git and make; everything else goes into .venv.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help quickstart test check bench soak mutants lock clean run-ready dev-ready

PYTHON ?= python3
WORKERS ?= 2
ARGS ?=
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet install
LOCK := $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --custom-compile-command "make lock" pyproject.toml

# The first thing that is missing on this machine, as one line; empty when nothing is.
missing = $(shell \
	command -v $(PYTHON) >/dev/null || { echo "python3 3.11 or newer is missing; on Debian: apt-get install python3"; exit; }; \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$(PYTHON) is older than 3.11; install python3 3.11 or newer, or name one: make PYTHON=python3.12"; exit; }; \
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "python3-venv is missing; on Debian: apt-get install python3-venv"; exit; }; \
	command -v git >/dev/null || echo "git is missing; on Debian: apt-get install git")

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

quickstart: run-ready ## Set up and watch four agents work a plan
	$(VENV)/bin/harness quickstart $(ARGS)

test: export PYTHONWARNDEFAULTENCODING := 1
test: dev-ready ## Set up and run all tests (ARGS="-k lease" narrows)
	$(PY) -m pytest -n $(WORKERS) --dist worksteal -m "not soak" $(ARGS)

check: dev-ready ## Format, lint, types, layers, house rules, documents
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports
	$(PY) -m pytest -q tests/house

bench: dev-ready ## Measure against the floor: a table and a JSON file
	$(PY) -m bench $(ARGS)

soak: export HARNESS_SOAK := 1
soak: dev-ready ## Run the full-scale tests (long)
	$(PY) -m pytest -m "soak or scales" --timeout 7200 $(ARGS)

mutants: dev-ready ## Break the code on purpose; every break must turn a test red (ARGS="name" picks)
	$(PY) -m tests.mutants $(ARGS)

lock: dev-ready ## Write requirements/*.txt anew from pyproject.toml (ARGS=--upgrade takes newer versions)
	$(PIP) uv
	$(LOCK) --all-extras --group dev --group pgtest --output-file requirements/dev.txt $(ARGS)
	$(LOCK) --group build --group quickstart --constraint requirements/dev.txt --output-file requirements/run.txt

clean: ## Remove the environment and every cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist mutants
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Byte code is compiled here because PYTHONDONTWRITEBYTECODE may be set: uncompiled, each command starts 30 ms later.
run-ready: $(VENV)/.run
	@$(PY) -m compileall -q src

dev-ready: $(VENV)/.dev
	@$(PY) -m compileall -q src

$(VENV)/.made:
	$(if $(missing),$(error $(missing)))
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.made requirements/run.txt pyproject.toml
	$(PIP) --require-hashes -r requirements/run.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@
