# Targets of the SAM CLI, included by the Makefile.

SAM_INSTALLED := .venv-sam/.installed

.PHONY: validate
validate: $(RUN_INSTALLED) $(SAM_INSTALLED) ## Check template.yaml with SAM's linter
	@$(BIN)/python -m local.sam_local validate

.PHONY: sam-build
sam-build: $(RUN_INSTALLED) $(SAM_INSTALLED) ## Build functions and layer for this machine (needs python3.13)
	@$(BIN)/python -m local.sam_local build

.PHONY: sam-local
sam-local: $(RUN_INSTALLED) $(SAM_INSTALLED) ## Serve the built functions in Docker on port 3000, unstreamed
	@exec $(BIN)/python -m local.sam_local start

.PHONY: deploy
deploy: $(RUN_INSTALLED) $(SAM_INSTALLED) ## Build and deploy a stack; asks the first time (SETTINGS=prod: another one)
	@$(BIN)/python -m local.sam_local deploy $(SETTINGS)

.PHONY: deploy-check
deploy-check: $(RUN_INSTALLED) $(SAM_INSTALLED) ## Check what would be deployed: catalogue, template, policy (no AWS account)
	@$(BIN)/python -m local.deploy_check

.PHONY: deploy-policy
deploy-policy: $(RUN_INSTALLED) $(SAM_INSTALLED) ## Write docs/deployer-policy.json anew, after a new kind of resource
	@$(BIN)/python -m local.deployer

.PHONY: sam-venv
sam-venv: $(SAM_INSTALLED) ## Install the SAM CLI into .venv-sam

# apart from .venv: the SAM CLI's pins conflict with ours
$(SAM_INSTALLED): requirements-sam.txt | $(BIN)/python
	@echo "Installing the SAM CLI; once, in about a minute."
	@$(BIN)/python -m venv .venv-sam
	@.venv-sam/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -r requirements-sam.txt
	@touch $@

test coverage: $(SAM_INSTALLED)
