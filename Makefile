# The workshop: every target does its own set-up, and is quick when there is nothing to do.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV ?= .venv
VENV_AWS ?= .venv-aws
VENV_SDK ?= .venv-sdk
VENV_SPARK ?= .venv-spark
# What `make test` runs, and in how many processes.
TESTS ?= tests
JOBS ?= 2
DEMO_HOME := .sagelocal/demo
DEMO_RUNTIME ?= process

# The first interpreter that is new enough and can make virtual environments; `make PYTHON=…` decides otherwise.
ifndef PYTHON
PYTHON := $(shell for each in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$each -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v $$each; break; }; done)
endif

# What decides whether an environment is still right: the parts of pyproject.toml before the tools' settings.
WANTED = sed '/^\[tool\./,$$d' pyproject.toml | cksum

OURS = --editable '.[sklearn,xgboost,lambda,tuning,checks]' $(DEV)
# aiobotocore pins botocore, so it gets an environment of its own.
OURS_AWS = --editable '.[aws]' $(DEV)
# The SageMaker SDK as its users have it: it talks to us over HTTP only and never shares our packages.
SDK = 'sagemaker<3'
# Spark is 450 MB, which nobody should wait for who only wants to try something: apart from the rest, too.
SPARK = 'pyspark>=3.5'

# $(call environment,FOLDER,WHAT TO INSTALL): a virtual environment, untouched (no pip, no network) while it is right.
define environment
	@wanted="$$($(WANTED))"; \
	if [ -x $(1)/bin/python ] && [ "$$(cat $(1)/.ready 2>/dev/null)" = "$$wanted" ]; then touch $(1)/.ready; exit 0; fi; \
	if [ -z "$(PYTHON)" ]; then \
		echo "No Python 3.11 or newer with the modules venv and ensurepip was found." >&2; \
		echo "Debian, Ubuntu: apt-get install python3 python3-venv. Or name one: make setup PYTHON=/path/to/python3.12" >&2; \
		exit 1; \
	fi; \
	set -e; echo "Setting up $(1) with $(PYTHON) …"; \
	[ -x $(1)/bin/python ] || $(PYTHON) -m venv $(1); \
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check $(2); \
	echo "$$wanted" > $(1)/.ready
endef

# Older pips do not know --group: the list is read from pyproject.toml instead.
DEV = -r <($(PYTHON) -c 'import pathlib, tomllib; \
	print(*tomllib.loads(pathlib.Path("pyproject.toml").read_text())["dependency-groups"]["dev"], sep="\n")')

.PHONY: help
help:  ## show this list
	@sed -n 's/^\([a-z_]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

.PHONY: setup
setup: $(VENV)/.ready ;@:  ## make .venv with everything that is needed; does nothing when it is there

.PHONY: setup_all
setup_all: setup $(VENV_AWS)/.ready $(VENV_SDK)/.ready $(VENV_SPARK)/.ready  ## also .venv-aws (aiobotocore), .venv-sdk (SageMaker SDK), .venv-spark

$(VENV)/.ready: pyproject.toml
	$(call environment,$(VENV),$(OURS))
$(VENV_AWS)/.ready: pyproject.toml
	$(call environment,$(VENV_AWS),$(OURS_AWS))
$(VENV_SDK)/.ready: pyproject.toml
	$(call environment,$(VENV_SDK),$(SDK))
$(VENV_SPARK)/.ready: pyproject.toml
	$(call environment,$(VENV_SPARK),$(SPARK))

.PHONY: demo
demo: setup  ## run the abalone pipeline, without Docker or network
	@$(VENV)/bin/sagelocal run fixtures/abalone/pipeline.json --home $(DEMO_HOME) --runtime $(DEMO_RUNTIME)
	@printf '\n%s\n' "What to look at next, after: source $(VENV)/bin/activate; export SAGELOCAL_HOME=$(DEMO_HOME)"
	@printf '  %s\n' "sagelocal show latest         the execution, its parameters and how each step ended" \
		"sagelocal steps latest        each step's times, place and outcome" \
		"sagelocal logs latest STEP    what a step printed" \
		"sagelocal graph fixtures/abalone/pipeline.json   the DAG" \
		"ls $(DEMO_HOME)/s3           the data, models and reports, as plain files"

.PHONY: images
images: setup  ## build the container images of the Docker tests
	@PYTHON=$(abspath $(VENV))/bin/python fixtures/images/build

.PHONY: test
test: setup_all pytest  ## run all tests; those that need Docker only where a daemon answers

.PHONY: pytest
pytest: setup
	@$(VENV)/bin/pytest -n $(JOBS) --dist loadfile $(TESTS) $(PYTEST_ARGS)

.PHONY: check
check: format_check lint types imports  ## formatting, lint, types, the floors of the house

.PHONY: format_check lint types imports
format_check: setup
	@$(VENV)/bin/ruff format --check --quiet . || { echo "badly formatted: see above; make fix repairs it" >&2; exit 1; }
lint: setup
	@$(VENV)/bin/ruff check --quiet .
types: setup
	@$(VENV)/bin/mypy
imports: setup
	@PYTHONPATH=engine:executors $(VENV)/bin/lint-imports --config pyproject.toml

.PHONY: check_check
check_check: setup  ## plant one violation of each kind and make sure that each is noticed
	@$(VENV)/bin/python tests/house/check_check.py --venv $(VENV)

.PHONY: bench
bench: setup  ## measure against floors of the same run
	@$(VENV)/bin/python -m tests.benchmarks.bench $(BENCH_ARGS)

.PHONY: fix
fix: setup  ## format, and repair what ruff can
	@$(VENV)/bin/ruff check --quiet --fix . ; $(VENV)/bin/ruff format --quiet .

.PHONY: clean
clean:  ## remove everything that was made here: environments, caches, state
	rm -rf .venv .venv-aws .venv-sdk .venv-spark .sagelocal .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist build
	find engine executors fixtures tests -name __pycache__ -type d -prune -exec rm -rf {} +
