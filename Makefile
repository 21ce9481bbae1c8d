# Losi API. `make help` explains every target; none needs another to be run first.
.DEFAULT_GOAL := help
SHELL := /bin/sh

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help
help: ## Show this help
	@echo "Losi API: an OpenAI-compatible LLM platform on AWS Lambda."
	@echo
	@echo "Usage: make TARGET"
	@echo
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'
	@echo
	@echo "PORT=4000 make run   serves on another port."

.PHONY: run
run: $(INSTALLED) ## Serve the whole API on http://127.0.0.1:3000/api/v1 (only Python is needed)
	@exec $(BIN)/python -m local

.PHONY: test
test: $(INSTALLED) $(if $(shell command -v npm),tests/node_modules/.installed) $(if $(shell command -v java),,no-java) ## Set up and run all tests; says what it skips, and why
	$(BIN)/python -m pytest --durations=10 $(PYTEST_ARGS)

.PHONY: unit
unit: $(INSTALLED) ## Run the unit tests alone (seconds)
	$(BIN)/python -m pytest tests/unit $(PYTEST_ARGS)

.PHONY: lint
lint: $(INSTALLED) ## Check style and types (ruff, mypy --strict)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: coverage
coverage: $(INSTALLED) ## Run all tests and show which lines none of them reached
	$(BIN)/python -m coverage run -m pytest
	$(BIN)/python -m coverage combine
	$(BIN)/python -m coverage report

.PHONY: clean
clean: ## Remove everything that the other targets made, the demo key included
	rm -rf $(VENV) .venv-sam .losi .aws-sam tests/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis

.PHONY: no-java
no-java:
	@echo "Java is missing: tests that need DynamoDB Local will be skipped." >&2

# The first Python of 3.11 or newer that really starts (version managers leave names that do not).
$(INSTALLED): requirements.txt shared/requirements.txt shared/pyproject.toml
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.14 python3.11; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then echo "Losi API needs Python 3.11 or newer; none was found on the PATH." >&2; exit 1; fi; \
	[ -x $(BIN)/python ] || { echo "Making $(VENV) with $$($$found --version)."; $$found -m venv $(VENV) || { \
	  echo "Could not make $(VENV). On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }; }; \
	echo "Installing what requirements.txt names; once, in about a minute."; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

tests/node_modules/.installed: tests/package.json tests/package-lock.json
	npm ci --prefix tests --no-audit --no-fund --loglevel=error
	@touch $@

-include sam.mk
