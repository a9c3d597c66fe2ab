# Plumbline: `make` alone lists what there is. Every target installs what it needs first, and a second call finds it done.

SHELL := /bin/bash
MAKEFLAGS += --no-print-directory --no-builtin-rules
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin
# The set in constraints.txt is proven on 3.11, so that one comes first. A shim that stands in the PATH and does not run is passed over.
PYTHON ?= $(shell for candidate in python3.11 python3.12 python3.13 python3; do \
	"$$candidate" -c 'import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1 \
	&& { command -v "$$candidate"; break; }; done)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# torch comes first and alone, so that `make install TORCH_INDEX=URL` can take the CPU build from where it is kept (the usual
# build brings several GB of CUDA packages).
TORCH := $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
# Workers of pytest, and what else to hand to the tool a target runs: make test ARGS="-k lineage"
JOBS ?= 2
ARGS ?=

# Nothing here calls home: the model comes from a package, and usage statistics stay off.
export HF_HUB_OFFLINE ?= 1
export HF_HUB_DISABLE_TELEMETRY ?= 1
export DAGSTER_DISABLE_TELEMETRY ?= yes
export GX_ANALYTICS_ENABLED ?= false
export ANONYMIZED_TELEMETRY ?= false
export HAYSTACK_TELEMETRY_ENABLED ?= False
export SCARF_NO_ANALYTICS ?= true
export DO_NOT_TRACK ?= true
export TOKENIZERS_PARALLELISM ?= false

.PHONY: help install install-dev up test check bench qualify clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: .venv/.installed ## make .venv and install what running needs

install-dev: .venv/.installed-dev ## the same, with the tools for testing and checking

up: export PLUMBLINE_CONTRACTS ?= $(CURDIR)/contracts
up: .venv/.installed ## start everything in the foreground; Ctrl-C stops it
	@exec $(BIN)/plumbline up $(ARGS)

test: .venv/.installed-dev ## run the quick tests
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not slow" $(ARGS)

check: .venv/.installed-dev ## lint, format, types, import arrows
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest --quiet tests/test_import_arrows.py tests/test_house.py

bench: .venv/.installed-dev ## measure the quick ones, or those named: make bench ARGS=growth
	@$(BIN)/python -m benchmarks $(ARGS)

qualify: .venv/.installed-dev ## run the full counts and write docs/qualification.md (hours)
	@$(BIN)/python -m benchmarks.qualify $(ARGS)

clean: ## remove what building, testing and checking left (.venv and your data stay)
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.* htmlcov *.egg-info
	@find . -name .venv -prune -o -name .git -prune -o -type d -name __pycache__ -exec rm -rf {} +

# A stamp is written last, so an install that was interrupted is taken up again where it stood.
.venv/.created:
	@[ -n "$(PYTHON)" ] || { echo "No Python 3.11, 3.12 or 3.13 with venv was found in the PATH." \
		"Install one (Debian and Ubuntu: apt-get install python3.11 python3.11-venv) or name it: make install PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -m venv .venv
	@touch $@

.venv/.installed: .venv/.created pyproject.toml constraints.txt
	@echo "Installing into .venv (about 3 GB and some minutes, once)"
	@$(PIP) $(TORCH)
	@$(PIP) --editable .
	@touch $@

.venv/.installed-dev: .venv/.installed
	@$(PIP) --editable '.[dev]'
	@touch $@
