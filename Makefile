# Everything a person does here. `make demo` and `make test` need Python 3.11+, make and the package registries; the
# tests also build Kubernetes' API server (Go) and start DynamoDB Local (Java, Maven).
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SCRIPTS := $(shell grep -l "^.!.*python3" scripts/*)
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup samples test-tools demo test test-unit check verify generate bench format clean
help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

$(STAMP): requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

setup: $(STAMP) samples  ## the virtual environment, the sample videos, the face detector's weights
	@$(BIN)/videojob models build

samples: $(STAMP)
	@scripts/samples
	@ln -sfn ../.cache/samples examples/samples

test-tools: setup
	@scripts/dynamodb-local
	@scripts/kube-tools
	@scripts/kube-crds

demo: setup  ## run the quickstart on real video; a second run starts afresh
	@rm -rf videojob-output/quickstart
	$(BIN)/videojob run examples/quickstart.yaml

test: test-tools  ## all tests: unit, contract, functional
	$(BIN)/coverage erase
	$(BIN)/pytest tests/unit --cov --cov-report= -q
	$(BIN)/coverage report --include='*/planning/*,*/manifests/*,*/vision/*,*/results/*,*/api/*' --fail-under=95
	$(BIN)/pytest tests/contract tests/functional

test-unit: setup  ## the tests that take seconds
	$(BIN)/pytest tests/unit -q

check: $(STAMP)  ## format, lint, types, layers
	$(BIN)/ruff format --check . $(SCRIPTS)
	$(BIN)/ruff check . $(SCRIPTS)
	$(BIN)/mypy
	$(BIN)/mypy --scripts-are-modules $(SCRIPTS)
	$(BIN)/lint-imports

verify: $(STAMP)  ## generated files are current
	scripts/generate --check

generate: $(STAMP)  ## write the generated files again
	scripts/generate

bench: setup  ## ratios against peers, one table; takes about half an hour on a quiet machine
	@scripts/perf-analyzer
	$(BIN)/python -m bench

format: $(STAMP)  ## format and mend what can be mended
	$(BIN)/ruff format . $(SCRIPTS)
	$(BIN)/ruff check --fix . $(SCRIPTS)

clean:  ## remove results and caches of the tools; .cache and .venv stay
	rm -rf videojob-output .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage
