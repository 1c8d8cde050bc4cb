# Everything that is done with this tree. `make` alone lists it; nothing has to be installed first but Python.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
# Wheels only: building a package from source would fetch what it is built with, at whatever version is newest.
LOCKED := --require-hashes --only-binary :all:
# More workers than cores: many tests wait for time-outs, leases and processes. A file's tests stay together: they share
# what is dear to make, such as a router that runs. The quick ones come last, and fill what the long ones leave.
# Each of them reads every test: to compile them all anew each time, as some surroundings ask, takes longer than most.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder
PIP_COMPILE := $(BIN)/pip-compile -q --no-strip-extras --generate-hashes --no-emit-index-url --no-emit-find-links --no-header
DIST := dist
DOCUMENTS := docs README.md CONTRIBUTING.md SECURITY.md CODE_OF_CONDUCT.md CHANGELOG.md charts/incident-router/README.md
DOCS_VERSION ?= dev
BUILT_FROM := pyproject.toml router/__init__.py requirements/build.txt requirements/pip.txt

.PHONY: help install run demo test test-fast test-faults soak fuzz check bench docs docs-deploy screenshots golden sbom dist format lock clean

help: ## List these targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

install: $(VENV)/.installed-run ## Install the router into .venv

run: $(VENV)/.installed-run ## Start the router with an embedded Valkey and simulated vendors (real ones where their keys are set)
	@exec $(BIN)/incident-router run --simulate

demo: $(VENV)/.installed-run ## Tell an alert storm's story in the terminal, in about a minute
	@exec $(BIN)/incident-router demo

test: $(VENV)/.installed-dev ## Run the tests, all but the long faults; as root it first installs the Debian programs they drive
	@scripts/install-debian-programs prometheus prometheus-alertmanager chromium curl haproxy nginx redis-server
	@$(PYTEST)

test-fast: $(VENV)/.installed-dev ## Run the tests that need less than a minute together
	@$(PYTEST) tests/contract tests/unit tests/structure

test-faults: $(VENV)/.installed-dev ## Kill webs, workers and Valkey under load, at full length; CHAOS_SEED=N repeats a run
	@CHAOS=full $(PYTEST) -n 5 --dist load --maxschedchunk 1 -rP tests/faults

HOURS ?= 0.334
soak: $(VENV)/.installed-dev ## Run webs, workers and Valkey under load for 20 minutes, kill them now and then, and report; HOURS=N for longer
	@exec $(BIN)/incident-router soak --hours $(HOURS)

SECONDS ?= 60
fuzz: $(VENV)/.installed-dev ## Hand every parser inputs that nobody should send, for a minute; SECONDS=N for longer
	@$(BIN)/python -m tests.fuzz $(SECONDS)

check: $(VENV)/.installed-dev ## Check style, types, layers, locks, spelling, and Markdown
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@scripts/check-locks
	@$(BIN)/codespell
	@$(BIN)/pymarkdown scan -r $(DOCUMENTS)

docs: $(VENV)/.installed-dev ## Build the documentation site into build/site; a broken link fails the build
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "build/site/index.html"

docs-deploy: $(VENV)/.installed-dev ## Commit the site as DOCS_VERSION to the branch gh-pages, beside the sites of other versions
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mike deploy --update-aliases $(DOCS_VERSION) latest

bench: $(VENV)/.installed-dev ## Run every benchmark; the figures go to benchmark-results/
	@scripts/run-benchmarks $(BIN)/python

sbom: $(VENV)/.installed-dev ## Write what the image holds of others' as CycloneDX into dist/
	@scripts/make-sbom $(BIN) $(DIST)

dist: $(VENV)/.installed-dev ## Make what a release consists of in dist/: wheel, source, chart, SBOM and checksums
	@scripts/make-dist $(BIN) $(DIST)

screenshots: $(VENV)/.installed-dev ## Take the pictures of the console that stand in the documents
	@$(BIN)/python -m tests.browser.screenshots docs/images

golden: $(VENV)/.installed-dev ## Write anew what the chart is expected to render, the table of its values, and the reference of the commands
	@$(BIN)/python -m tests.chart.golden
	@$(BIN)/python -m tests.structure.command_reference
	@$(BIN)/python -m tests.structure.event_reference

format: $(VENV)/.installed-dev ## Bring the code into form
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

lock: $(VENV)/.installed-dev ## Write the locks anew from pyproject.toml (add UPGRADE=--upgrade for the newest versions)
	@$(PIP_COMPILE) $(UPGRADE) --extra otel -o requirements/runtime.txt pyproject.toml
	@$(PIP_COMPILE) $(UPGRADE) --extra embedded -c requirements/runtime.txt -o requirements/embedded.txt pyproject.toml
	@$(PIP_COMPILE) $(UPGRADE) --extra embedded --extra dev -c requirements/runtime.txt --allow-unsafe \
		-o requirements/dev.txt pyproject.toml
	@$(PIP_COMPILE) $(UPGRADE) --only-build-deps --build-deps-for editable --build-deps-for wheel \
		-c requirements/dev.txt -o requirements/build.txt pyproject.toml
	@echo pip | $(PIP_COMPILE) $(UPGRADE) --allow-unsafe -c requirements/dev.txt -o requirements/pip.txt -

clean: ## Remove what the other targets made; the router's own data/ stays
	@rm -rf $(VENV) build dist benchmark-results .hypothesis .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	@find router tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@scripts/make-venv $(PYTHON) $(VENV)

# pip comes first: versions before 24 refuse an extra of a package that is locked by hash, and take its newest release.
# The build backend is locked as well, so nothing is fetched that a lock does not name with its hash.
define install
	@echo "Installing what requirements/$(1).txt names into $(VENV) ..."
	@$(PIP) install $(LOCKED) -r requirements/pip.txt
	@$(PIP) install $(LOCKED) -r requirements/$(1).txt -r requirements/build.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@
endef

$(VENV)/.installed-run: requirements/embedded.txt $(BUILT_FROM) | $(BIN)/python
	$(call install,embedded)

$(VENV)/.installed-dev: requirements/dev.txt $(BUILT_FROM) | $(BIN)/python
	$(call install,dev)
