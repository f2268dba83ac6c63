# Everything a person does here. `make demo` and `make test` need Python 3.11+, make and the package registries; the
# tests also build Kubernetes (Go) and start DynamoDB Local (Java, Maven).
#   make test KUBECONFIG=file    tests of the cluster on your own one; a variable of the environment does not count
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SCRIPTS := $(shell grep -l "^.!.*python3" scripts/*)
unexport PYTHONDONTWRITEBYTECODE  # the tests start hundreds of processes, each of which would compile the package again
export PATH := $(CURDIR)/$(BIN):$(PATH)

ifeq ($(origin KUBECONFIG),command line)
export VIDEOJOB_TEST_KUBECONFIG := $(KUBECONFIG)
endif

.PHONY: help setup samples test-tools demo test test-rules test-contract test-servers test-videos test-clusters test-unit test-e2e e2e-cluster check verify generate bench soak odd-videos prices format clean
help:  ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

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
	@scripts/promtool >/dev/null
	@scripts/e2e-packages

demo: setup  ## run the quickstart on real video; a second run starts afresh
	@rm -rf videojob-output/quickstart
	$(BIN)/videojob run examples/quickstart.yaml

test: setup  ## all tests: unit, contract, functional, and on real clusters
	@scripts/dynamodb-local >/dev/null
	@$(MAKE) --no-print-directory --keep-going --jobs=3 test-clusters test-videos test-rules test-servers test-contract

# Side by side, because they wait as much as they compute; each line says whose it is. Three at a time, the longest
# first; the first time, those of videos and of rules run while the tools are built, which they do not need.
VIDEOS := $(wildcard $(patsubst %,tests/functional/test_%.py,bad_input inputs_* large_jobs media_* models_* odd_videos \
	oracle_* outputs report_* run_* s3_bytes triton_* wheel worker_*))
test-rules: setup
	@set -o pipefail; $(BIN)/coverage erase && $(BIN)/pytest tests/unit --cov --cov-report= -q 2>&1 | sed -u 's/^/rules:    /'
	@$(BIN)/coverage report --include='*/planning/*,*/video/*,*/kube/*,*/vision/*,*/results/*,*/api/*' --fail-under=95

test-videos: setup
	@set -o pipefail; $(BIN)/pytest $(VIDEOS) 2>&1 | sed -u 's/^/videos:   /'

test-servers: test-tools
	@set -o pipefail; $(BIN)/pytest tests/functional $(addprefix --ignore=,$(VIDEOS)) 2>&1 | sed -u 's/^/servers:  /'

test-contract: test-tools
	@set -o pipefail; $(BIN)/pytest tests/contract 2>&1 | sed -u 's/^/contract: /'

test-clusters: test-tools
	@set -o pipefail; $(BIN)/pytest tests/e2e 2>&1 | sed -u 's/^/clusters: /'

test-unit: setup  ## the tests that take seconds
	$(BIN)/pytest tests/unit -q

test-e2e: test-tools  ## the tests on real clusters; as root on Linux, or with KUBECONFIG=file on yours
	$(BIN)/pytest tests/e2e

e2e-cluster: test-tools  ## run a real cluster with the chart installed, until Ctrl-C
	@scripts/e2e-cluster

check: $(STAMP)  ## format, lint, types, layers, wording
	$(BIN)/ruff format --check . $(SCRIPTS)
	$(BIN)/ruff check . $(SCRIPTS)
	$(BIN)/mypy
	$(BIN)/mypy --scripts-are-modules $(SCRIPTS)
	$(BIN)/lint-imports
	$(BIN)/python -m tools.wording

verify: $(STAMP)  ## generated files are current
	scripts/generate --check

generate: $(STAMP)  ## write the generated files again
	scripts/generate

bench: setup  ## ratios against peers, one table; takes about half an hour on a quiet machine
	@scripts/perf-analyzer
	$(BIN)/python -m bench

soak: test-tools  ## large runs against their limits, one table; NAMES="control ..." only these
	$(BIN)/python -m bench.soak $(NAMES)

odd-videos: $(STAMP)  ## odd videos against the truth, one table; DIR=folder also others' cases
	@$(BIN)/python -m bench.odd_videos $(DIR)

prices: $(STAMP)  ## write current prices into the static table; needs Go, or AWS credentials
	@$(BIN)/python scripts/prices

format: $(STAMP)  ## format, and fix what ruff can fix
	$(BIN)/ruff format . $(SCRIPTS)
	$(BIN)/ruff check --fix . $(SCRIPTS)

clean:  ## remove results and caches of the tools; .cache and .venv stay
	rm -rf videojob-output .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage
