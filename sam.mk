# Targets of the SAM CLI, included by the Makefile.

SAM_VENV = .venv-sam

$(SAM_VENV): requirements-sam.txt
	python3 -m venv $(SAM_VENV)
	$(SAM_VENV)/bin/pip install --quiet --disable-pip-version-check -r requirements-sam.txt
	touch $(SAM_VENV)

.PHONY: validate sam-build sam-local

validate: $(VENV) $(SAM_VENV)  ## check template.yaml with SAM's linter
	$(VENV)/bin/python -m local.sam_local validate

sam-build: $(VENV) $(SAM_VENV)  ## build functions and layer for this machine (needs python3.13)
	$(VENV)/bin/python -m local.sam_local build

sam-local: $(VENV) $(SAM_VENV)  ## run the deployment in Docker on port 3000 (PORT=...), buffered
	$(VENV)/bin/python -m local.sam_local start
