# Mainspring. `make help` lists the targets; each does all the set-up that it needs.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
HOME_DIR ?= $(HOME)/.mainspring
MODELS ?= smollm2 minilm
WORKERS ?= 2
PARALLEL := -n $(WORKERS) --no-loadscope-reorder --max-worker-restart=0
export MAINSPRING_MODELS ?= $(HOME_DIR)/models
export PIP_DISABLE_PIP_VERSION_CHECK := 1

LOCK := requirements/all.txt

.DEFAULT_GOAL := help
.PHONY: help install compiled plain demo test check lint types layers budgets bench bench-gateway bench-traces lock ui models clean

help: ## Show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed ui models ## Make .venv with everything: locked packages, the product, the web UI, the models

$(VENV)/.packages: $(LOCK) requirements/torch-cpu.txt scripts/install_torch.py
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python scripts/install_torch.py
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r $(LOCK)
	@touch $@

$(VENV)/.installed: $(VENV)/.packages pyproject.toml
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	$(BIN)/python -m pip check
	@touch $@

ui: $(VENV)/.packages ## Build the web UI in place, where its sources changed
	@if [ -f hatch_build.py ]; then PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python hatch_build.py; fi

models: $(VENV)/.installed ## Fetch the models that the demo and the tests use, once
	$(BIN)/python -m mainspring.registry $(MODELS)

compiled: $(VENV)/.installed ## Compile the modules that every call and span goes through; edits to them need it again
	$(BIN)/python scripts/compiled.py build

plain: ## Go back to plain Python, as `make install` leaves it
	$(PYTHON) scripts/compiled.py clean

demo: install ## Turn the whole loop once around on this machine and leave the server up
	$(BIN)/mainspring demo --home "$(HOME_DIR)" $(DEMO)

test: install ## Run every test, with a private PostgreSQL and Chromium
	@$(BIN)/python scripts/compiled.py check
	@$(BIN)/python -m compileall -q src
	PATH="$(CURDIR)/$(BIN):$$PATH" bash scripts/services.sh $(BIN)/python -m pytest $(PARALLEL) $(PYTEST)

check: $(VENV)/.installed lint types layers budgets ## Lint, types, layers, budgets

lint: $(VENV)/.installed
	$(BIN)/ruff check .

types: $(VENV)/.installed
	$(BIN)/mypy

layers: $(VENV)/.installed
	$(BIN)/lint-imports

budgets: $(VENV)/.installed
	$(BIN)/python -m pytest tests/repo

bench: install ## Run the benchmarks and print their figures
	@for file in benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python "$$file" || exit 1; done

bench-gateway: install compiled ## Compile the hot modules, and measure the gateway beside nginx, and the peers that LITELLM and TENSORZERO name
	$(BIN)/python benchmarks/gateway/run.py $(BENCH)

bench-traces: install compiled ## Compile the hot modules, and measure traces beside Phoenix and MLflow where PHOENIX and MLFLOW name them
	$(BIN)/python benchmarks/traces/run.py $(BENCH)

lock: ## Pin every dependency again, with hashes and no registry address
	$(BIN)/python scripts/lock.py

clean: ## Remove what was built, the environment included
	rm -rf $(VENV) build dist src/mainspring/surfaces/static .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
