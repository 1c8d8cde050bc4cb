# Development tasks. `make` lists the targets. Only Python has to be installed.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
# Wheels only: building a package from source would fetch the newest versions of its build dependencies.
LOCKED := --require-hashes --only-binary :all:
# More workers than cores, because many tests wait for time-outs, leases, and processes. The tests of a file stay together, because they share
# expensive fixtures, such as a running router. Quick tests run last and fill the gaps.
# Each worker imports every test. PYTHONDONTWRITEBYTECODE would make each of them compile all tests again.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder
PIP_COMPILE := $(BIN)/pip-compile -q --no-strip-extras --generate-hashes --no-emit-index-url --no-emit-find-links --no-header
DIST := dist
DOCUMENTS := docs README.md CONTRIBUTING.md SECURITY.md CODE_OF_CONDUCT.md CHANGELOG.md charts/incident-router/README.md
DOCS_VERSION ?= dev
BUILT_FROM := pyproject.toml router/__init__.py requirements/build.txt requirements/pip.txt

.PHONY: help install run demo test test-fast test-faults soak fuzz check audit bench bench-commit bench-scale docs docs-deploy screenshots golden sbom dist format lock clean

help: ## List these targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

install: $(VENV)/.installed-run ## Install the router into .venv

run: $(VENV)/.installed-run ## Start the router with an embedded Valkey and simulated vendors (real ones where their keys are set)
	@exec $(BIN)/incident-router run --simulate

demo: $(VENV)/.installed-run ## Run a scripted alert storm in the terminal, in about a minute
	@exec $(BIN)/incident-router demo

test: $(VENV)/.installed-dev ## Run all tests except the long fault tests; as root, install the Debian packages that they need
	@scripts/install-debian-programs prometheus prometheus-alertmanager chromium curl haproxy nginx redis-server
	@$(PYTEST)

test-fast: $(VENV)/.installed-dev ## Run the tests that take less than a minute together
	@$(PYTEST) tests/contract tests/unit tests/structure

test-faults: $(VENV)/.installed-dev ## Run the long fault tests, which kill processes under load; CHAOS_SEED=N repeats a run
	@CHAOS=full $(PYTEST) -n 5 --dist load --maxschedchunk 1 -rP tests/faults

HOURS ?= 0.334
soak: $(VENV)/.installed-dev ## Run web, workers, and Valkey under load for 20 minutes, kill them at random, and report; HOURS=N sets the duration
	@exec $(BIN)/python -m tools.soak --hours $(HOURS)

SECONDS ?= 60
fuzz: $(VENV)/.installed-dev ## Send malformed inputs to every parser for a minute; SECONDS=N sets the duration
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

bench: $(VENV)/.installed-dev ## Run all benchmarks, write the results to benchmark-results/, and compare them with the committed ones
	@scripts/run-benchmarks $(BIN)/python
	@$(BIN)/python -m tests.benchmarks.compare benchmark-results

DATE ?= $(shell date +%F)
bench-commit: $(VENV)/.installed-dev ## Replace the committed benchmark results by those of the last `make bench`; DATE=2026-12-01 is when it ran
	@$(BIN)/python -m tests.benchmarks.compare benchmark-results --commit $(DATE)

bench-scale: $(VENV)/.installed-dev ## Measure what an alert costs each role with 1, 2, and 4 processes, on one Valkey and on three primaries
	@$(BIN)/python -m tests.benchmarks.scale benchmark-results/scale.json

sbom: $(VENV)/.installed-dev ## Write an SBOM of the image's third-party packages (CycloneDX) to dist/
	@scripts/make-sbom $(BIN) $(DIST)

dist: $(VENV)/.installed-dev ## Build a release in dist/: wheel, source, chart, SBOM, and checksums
	@scripts/make-dist $(BIN) $(DIST)

screenshots: $(VENV)/.installed-dev ## Take the screenshots of the console in the documentation
	@$(BIN)/python -m tests.browser.screenshots docs/images

golden: $(VENV)/.installed-dev ## Update the golden files of the chart, the table of its values, and the command reference
	@$(BIN)/python -m tests.chart.golden
	@$(BIN)/python -m tests.structure.command_reference
	@$(BIN)/python -m tests.structure.event_reference

format: $(VENV)/.installed-dev ## Format the code
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

lock: $(VENV)/.installed-dev ## Update the locks from pyproject.toml (UPGRADE=--upgrade for the newest versions)
	@$(PIP_COMPILE) $(UPGRADE) --extra otel --extra apprise -o requirements/runtime.txt pyproject.toml
	@$(PIP_COMPILE) $(UPGRADE) --extra embedded -c requirements/runtime.txt -o requirements/embedded.txt pyproject.toml
	@$(PIP_COMPILE) $(UPGRADE) --extra embedded --extra dev -c requirements/runtime.txt --allow-unsafe \
		-o requirements/dev.txt pyproject.toml
	@$(PIP_COMPILE) $(UPGRADE) --only-build-deps --build-deps-for editable --build-deps-for wheel \
		-c requirements/dev.txt -o requirements/build.txt pyproject.toml
	@echo pip | $(PIP_COMPILE) $(UPGRADE) --allow-unsafe -c requirements/dev.txt -o requirements/pip.txt -
	@echo pip-audit | $(PIP_COMPILE) $(UPGRADE) --allow-unsafe -o requirements/audit.txt -

audit: ## Check the locked packages for known vulnerabilities; needs the network, and fails if a package can't be checked
	@$(PYTHON) -m venv build/audit
	@build/audit/bin/python -m pip --disable-pip-version-check -q install $(LOCKED) -r requirements/pip.txt
	@build/audit/bin/python -m pip --disable-pip-version-check -q install $(LOCKED) -r requirements/audit.txt
	@scripts/audit build/audit/bin/pip-audit requirements/runtime.txt requirements/embedded.txt

clean: ## Remove the files that other targets created; keep the router's data/
	@rm -rf $(VENV) build dist benchmark-results .hypothesis .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	@find router tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@scripts/make-venv $(PYTHON) $(VENV)

# pip comes first: versions before 24 refuse an extra of a package that is locked by hash, and take its newest release.
# The build backend is also locked, so every fetched package has a hash in a lock.
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
