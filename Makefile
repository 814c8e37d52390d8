# The one door to everything that can be done here; `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
# Packages are installed uncompiled and what is imported is compiled once: where that may not be kept, each of some
# hundred processes compiles it anew, a second each.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
# uv takes a quarter of pip's time. It reads no pip.conf: an index that stands there is handed on.
INDEX := UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX-$$($(BIN)/pip config list | sed -n "s/^[^ ]*\.index-url='\(.*\)'$$/\1/p" | tail -n 1)}"
UV := $(INDEX) $(BIN)/uv pip install --quiet --constraint constraints.txt --python
# What images hold, by itself: tools of developers do not stand in a bill of materials, nor do those that write it.
SHIPPED := $(VENV)/release/shipped
SBOM := dist/sbom.json

.PHONY: help demo test programs check sbom audit up down unit contracts dashboards reference docs chaos clean install

help:  ## Show what can be done
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/.demo  ## Run the main job on a miniature ALMA: requests in, calibrated MeasurementSets out
	$(BIN)/alma-restore demo

test:  ## Run every check and test, with real RabbitMQ, S3 and CASA
	$(MAKE) --no-print-directory --jobs=2 programs $(VENV)/.dev
	$(MAKE) --no-print-directory $(SHIPPED)/.made
	./tests/support/run-all

programs: $(VENV)/.python
	@$(INDEX) ./tests/support/prerequisites

check: $(VENV)/.dev  ## Style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .

up:  ## Run everything in containers on this machine (PROFILE=demo adds a miniature ALMA, SCALE=4 four casa-runners)
	./compose/make-env
	$(if $(filter demo,$(PROFILE)),,./compose/archive-is-named)
	env $$(./compose/version) docker compose $(if $(PROFILE),--profile $(PROFILE)) up --build --detach --wait
	./compose/addresses

down:  ## End what `make up` started; what it keeps stays (docker compose down --volumes removes it)
	docker compose --profile '*' down

unit: programs $(VENV)/.dev $(SHIPPED)/.made  ## Only the fast tests
	$(BIN)/pytest tests/unit

contracts: $(VENV)/.dev  ## Write the JSON Schemas and the AsyncAPI document anew
	$(BIN)/python -m contracts.documents

dashboards: $(VENV)/.dev  ## Write Grafana's dashboards and Prometheus' alerts anew (SITE=https://… where your documents are)
	$(BIN)/python -m dashboards.generate $(if $(SITE),--site $(SITE))

reference: $(VENV)/.dev  ## Write docs/reference and the tables of settings in the READMEs anew
	$(BIN)/python -m tests.support.reference

docs: $(VENV)/.dev  ## Build the documents as a site, into build/site
	$(BIN)/properdocs --quiet build --strict
	@echo "To read it: $(BIN)/python -m http.server --bind 127.0.0.1 --directory build/site 8001"

chaos: programs $(VENV)/.dev  ## Ten minutes of killed services, broker and store; every request must end right (SEED=…)
	$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED))

bench-bus: ## Measure the bus against pika by hand
bench-store: ## Measure the object store against the minio client by hand
bench-decide: ## Measure decisions, answers over RabbitMQ and the updater
bench-fetch: ## Measure the fetcher against curl
bench-ppr: ## Measure writing and reading processing requests
bench-desk: ## Measure how the desk serves 1,000 users who watch 200 live requests
bench-restore: ## Measure the ways to restore against the reference
bench-ledger: ## Measure the ledger
bench-scaling: ## Measure how casa-runner scales over RabbitMQ
bench-%: programs $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks.bench_$*

sbom: $(SHIPPED)/.made  ## Write what images hold as CycloneDX to dist/sbom.json
	mkdir -p $(dir $(SBOM))
	eval $$(./compose/version | cut -d' ' -f1); sed "s/^dynamic = .*/version = \"$$VERSION\"/" pyproject.toml >$(VENV)/release/pyproject.toml
	$(VENV)/release/bin/cyclonedx-py environment $(SHIPPED) --pyproject $(VENV)/release/pyproject.toml --of JSON --output-file $(SBOM) $(SBOM_OPTIONS)

audit: $(SHIPPED)/.made  ## Ask PyPI's vulnerability service about what images hold; what it does not know fails
	$(VENV)/release/bin/pip-audit --strict --path $(SHIPPED)/lib/python3.11/site-packages

install: $(VENV)/.dev  ## Make the virtual environment for developing

clean:  ## Remove the virtual environment and everything that was made
	rm -rf $(VENV) .cache demo-out build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/.python: constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
	  || { echo "Python 3.11 is needed (CASA's wheels are made for it): make PYTHON=/path/to/python3.11 …" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt uv
	touch $@

$(VENV)/release/.made: $(VENV)/.python constraints.txt
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(VENV)/release
	@$(UV) $(VENV)/release/bin/python cyclonedx-bom pip-audit
	touch $@

$(SHIPPED)/.made: $(VENV)/release/.made pyproject.toml
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(SHIPPED)
	@$(UV) $(SHIPPED)/bin/python --requirements pyproject.toml --extra services --extra tracing
	touch $@

$(VENV)/.demo: $(VENV)/.python pyproject.toml constraints.txt
	@echo "Installing what the services need, CASA among it (about a minute the first time) …"
	@$(UV) $(BIN)/python --editable '.[demo]'
	touch $@

$(VENV)/.dev: $(VENV)/.python pyproject.toml constraints.txt
	@echo "Installing what the services and the tests need, CASA among it (about a minute the first time) …"
	@$(UV) $(BIN)/python --editable '.[dev]'
	touch $@ $(VENV)/.demo
