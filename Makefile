# Losi API. `make help` explains every target; none needs another to be run first.
.DEFAULT_GOAL := help
SHELL := /bin/sh

VENV := .venv
BIN := $(VENV)/bin
# Whose tests `make openai-suite` runs; tests/clients/requirements-suite.txt names it, too.
OPENAI_SDK := 3.57.0
RUN_INSTALLED := $(VENV)/.installed-run
INSTALLED := $(VENV)/.installed
SECURITY_INSTALLED := .venv-security/.installed
# what tests/ needs beyond Python, where it can be had
FOR_TESTS := $(INSTALLED) $(if $(shell command -v npm),tests/node_modules/.installed) $(if $(shell command -v java),,no-java)
# what shares a server runs in one worker, and first (tests/parallel.py)
PYTEST := $(BIN)/python -m pytest -n auto --dist loadgroup --no-loadscope-reorder
# one process: each more would collect all tests again, which takes a third of the time; they start no
# processes whose output only file descriptors could capture; what pytest makes of the tests is kept
UNIT := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --capture=sys tests/unit
# coverage slows what starts processes, and sees little in them
COVERAGE := $(PYTEST) --durations=10 --cov --cov-report=term tests/unit tests/contract
PROCESSES := $(PYTEST) --durations=10 tests/integration tests/e2e tests/browser

.PHONY: help
help: ## Show this help
	@echo "Losi API: an OpenAI-compatible LLM platform on AWS Lambda."
	@echo
	@echo "Usage: make TARGET"
	@echo
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'
	@echo
	@echo "PORT=4000 make run   serves on another port; FRESH=1 make run   deletes its data first."

.PHONY: run
run: $(RUN_INSTALLED) ## Serve the whole API on http://127.0.0.1:3000/api/v1 (only Python is needed)
	@exec $(BIN)/python -m local

.PHONY: test
test: $(FOR_TESTS) ## Set up and run all tests; list skipped tests with the reason
	$(if $(PYTEST_ARGS),$(PYTEST) $(PYTEST_ARGS),$(COVERAGE) && $(PROCESSES))

.PHONY: site
site: $(RUN_INSTALLED) ## Build the console and the docs as files (part of run and sam-build)
	@$(BIN)/python -m local.site

.PHONY: unit
unit: $(INSTALLED) ## Run only the unit tests: each module by itself (less than a minute)
	$(UNIT) $(PYTEST_ARGS)

.PHONY: contract
contract: $(INSTALLED) ## Run the tests of the whole API and of whole commands, and of recorded traffic
	$(PYTEST) tests/contract $(PYTEST_ARGS)

.PHONY: lint
lint: $(INSTALLED) ## Check style, types and who imports whom (ruff, mypy --strict, import-linter)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: hostile
hostile: $(FOR_TESTS) ## Send 500 hostile requests to each endpoint (HOSTILE=500 SEED=1)
	HOSTILE=$(or $(HOSTILE),500) $(PYTEST) tests/e2e/test_hostile_requests.py tests/e2e/test_worst_bodies.py $(PYTEST_ARGS)

.PHONY: security
security: $(SECURITY_INSTALLED) ## Look for secrets in the repository and known holes in shipped packages
	@$(BIN)/python -m local.security

.PHONY: lock
lock: $(RUN_INSTALLED) ## Rewrite the layer's hashes, after a change of shared/requirements.txt
	$(BIN)/python -m local.lock

.PHONY: format
format: $(INSTALLED) ## Format the source in the project's style (ruff)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: bench
bench: $(FOR_TESTS) .losi/bench-python/ready ## Measure what a request costs here, in about three minutes (BENCH_PYTHON=python3.13)
	$(BIN)/python -m bench

.PHONY: bench-peers
bench-peers: $(FOR_TESTS) .losi/peers/ready ## The same with other gateways; writes docs/performance.md
	$(BIN)/python -m bench --peers

# Measured servers run on the distribution's Python, if it can make a venv: distributions build with
# optimisation, version managers often do not, and the difference would be in every figure.
.losi/bench-python/ready: requirements-run.txt shared/requirements.txt shared/pyproject.toml $(if $(BENCH_PYTHON),chosen) | $(BIN)/python
	@for python in $(or $(BENCH_PYTHON),/usr/bin/python3 $(BIN)/python); do \
	  if $$python -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then echo "$(BENCH_PYTHON) is no Python of 3.11 or newer that can make a venv." >&2; exit 1; fi; \
	echo "Making .losi/bench-python with $$found, $$($$found --version); once."; \
	$$found -m venv --clear .losi/bench-python
	@.losi/bench-python/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-run.txt
	@touch $@

.PHONY: chosen
chosen:

.losi/peers/ready: bench/peers.json .losi/bench-python/ready
	mkdir -p .losi/peers
	cp bench/peers.json .losi/peers/package.json
	npm install --prefix .losi/peers --no-audit --no-fund
	.losi/bench-python/bin/python -m venv --clear .losi/peers/relay
	.losi/peers/relay/bin/pip install --quiet aiohttp==3.13.2
	.losi/bench-python/bin/python -m venv --clear .losi/peers/litellm
	.losi/peers/litellm/bin/pip install --quiet 'litellm[proxy]==1.80.0'
	touch $@

.PHONY: openapi
openapi: $(INSTALLED) ## Rewrite docs/openapi.json, after a change of an endpoint
	$(BIN)/python -m losi.web.openapi > docs/openapi.json

.PHONY: conformance
conformance: $(FOR_TESTS) ## Rewrite docs/conformance/, after a change of losi-omega's routes
	LOSI_WRITE_CONFORMANCE=1 $(BIN)/python -m pytest -q tests/contract/conformance/test_omega.py

.PHONY: clients
clients: $(FOR_TESTS) ## Call this API with LangChain, instructor, Vercel's AI SDK and others (outside CI)
	@mkdir -p .clients/node
	@for venv in older newer; do \
	  [ -d .clients/$$venv ] || $(BIN)/python -m venv .clients/$$venv; \
	  .clients/$$venv/bin/python -m pip install -q -r tests/clients/requirements-$$venv.txt || exit 1; \
	done
	@cp tests/clients/package.json .clients/node/ && npm install --prefix .clients/node --no-audit --no-fund --loglevel=error
	$(BIN)/python -m tests.clients .clients $(CLIENTS_ARGS)

.PHONY: openai-suite
openai-suite: $(FOR_TESTS) ## Run OpenAI's own tests, and rewrite docs/conformance/openai-suite.md (outside CI)
	@mkdir -p .clients/openai-suite
	@cd .clients/openai-suite && [ -d openai-$(OPENAI_SDK) ] || { \
	  ../../$(BIN)/python -m pip download -q --no-deps --no-binary openai openai==$(OPENAI_SDK) && \
	  tar -xzf openai-$(OPENAI_SDK).tar.gz && rm openai-$(OPENAI_SDK).tar.gz; }
	@[ -d .clients/openai-suite/venv ] || $(BIN)/python -m venv .clients/openai-suite/venv
	@.clients/openai-suite/venv/bin/python -m pip install -q -r tests/clients/requirements-suite.txt
	$(BIN)/python -m tests.clients.openai_suite .clients/openai-suite write

.PHONY: coverage
coverage: $(INSTALLED) ## Run unit and contract tests; fail if they reach too few lines, and list the others
	$(COVERAGE)

.PHONY: mutants
mutants: $(INSTALLED) ## Change the source at random (SEED=7 DRAW=60), and list changes that no test detects
	$(BIN)/python -m tests.mutants

.PHONY: faults
faults: $(FOR_TESTS) ## Make the store fail under real servers: is every answer billed? (minutes)
	$(BIN)/python -m tests.faults

.PHONY: soak
soak: $(FOR_TESTS) ## Run hundreds of streams for minutes (SOAK_MINUTES=5 STREAMS=200); none is lost
	$(BIN)/python -m tests.soak

.PHONY: million
million: $(FOR_TESTS) ## Reconcile a day of a million accounts (ACCOUNTS=1000000); print time and price
	$(BIN)/python -m tests.million

.PHONY: release-notes
release-notes: $(RUN_INSTALLED) ## Print the changelog's notes for TAG=v1.2.3, if it can be released
	@$(BIN)/python -m local.release notes $(TAG)

.PHONY: sbom
sbom: $(RUN_INSTALLED) ## Print the list of shipped packages, as CycloneDX
	@$(BIN)/python -m local.release sbom

.PHONY: clean
clean: ## Remove everything that the other targets made, including the demo key
	rm -rf $(VENV) .venv-sam .venv-security .clients .losi .aws-sam tests/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* .mutants

.PHONY: no-java
no-java:
	@echo "Java is missing: tests that need DynamoDB Local will be skipped." >&2

# Names what it downloads, then says that it unpacks; `|| echo` because a pipe hides pip's status.
define pip_install
{ $(BIN)/python -m pip install --disable-pip-version-check --no-compile -r $(1) || echo pip failed; } | awk '\
  /^Collecting/ { printf "%s ", $$2; fflush() } \
  /^Installing collected/ { print "\nInstalling them."; fflush() } \
  /^pip failed/ { failed = 1 } END { exit failed }'
endef

$(INSTALLED): $(RUN_INSTALLED) requirements.txt
	@echo "Installing what tests and checks need (requirements.txt); once."
	@$(call pip_install,requirements.txt)
	@touch $@

$(RUN_INSTALLED): requirements-run.txt shared/requirements.txt shared/pyproject.toml | $(BIN)/python
	@echo "Installing what requirements-run.txt names; once, in about a minute."
	@$(call pip_install,requirements-run.txt)
	@touch $@

# The first Python of 3.11 or newer that really starts (version managers leave names that do not).
$(BIN)/python:
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.14 python3.11; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then echo "Losi API needs Python 3.11 or newer; none was found on the PATH." >&2; exit 1; fi; \
	mkdir -p $(VENV) && [ -w $(VENV) ] || { \
	  echo "Cannot write to $(VENV): what is installed goes there. Use a copy of this folder that you may write to." >&2; exit 1; }; \
	echo "Making $(VENV) with $$($$found --version)."; \
	$$found -m venv $(VENV) || { \
	  echo "Could not make $(VENV). On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
# Python 3.11 brings it along, newer ones do not, and nothing here uses it
	@$(BIN)/python -m pip uninstall -qq --yes --disable-pip-version-check setuptools

# apart from .venv: they need more packages than all that they look at
$(SECURITY_INSTALLED): requirements-security.txt | $(INSTALLED)
	@echo "Installing the scanners; once."
	@$(BIN)/python -m venv .venv-security
	@.venv-security/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -r $<
	@touch $@

tests/node_modules/.installed: tests/package.json tests/package-lock.json
	npm ci --prefix tests --no-audit --no-fund --loglevel=error
	@touch $@

-include sam.mk
