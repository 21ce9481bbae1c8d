# Builds the Lambda layer: dependencies for MACHINE and the package `losi`, with bytecode.
#
# SAM runs this through shared/layer/<architecture>/Makefile in a copy of shared/, with
# ARTIFACTS_DIR set. Its own Python builder leaves bytecode out, and in Lambda, where /opt is
# read-only, every cold start would compile the imports again.

PACKAGES = $(ARTIFACTS_DIR)/python
WHEELS = --only-binary=:all: --implementation cp --python-version 3.13 \
	--platform manylinux2014_$(MACHINE) --platform manylinux_2_28_$(MACHINE)

# Never imported here, and a quarter of the layer: Powertools' own web framework and the
# utilities we do not use, pydantic 1 as carried by pydantic 2, command lines and test plugins.
UNUSED = bin \
	aws_lambda_powertools/event_handler \
	$(addprefix aws_lambda_powertools/utilities/,auth_alpha batch circuit_breaker data_classes \
		data_masking feature_flags idempotency kafka parser streaming validation) \
	pydantic/v1

build-LosiLayer:
	@python3.13 --version >/dev/null 2>&1 || { echo "The layer needs python3.13 on the PATH, \
	the Python of its Lambda runtime (with pyenv: export PYENV_VERSION=3.13)." >&2; exit 1; }
	@[ -f losi/catalogue/config/README.md ] || { echo "config/ cannot be read here: build without \
	a container, in a checkout that has the link shared/losi/catalogue/config." >&2; exit 1; }
# before all else, with this machine's pydantic: the layer's may be another machine's
	python3.13 -m pip install --quiet --disable-pip-version-check --no-compile \
		--root-user-action=ignore --constraint requirements.txt --target .check pydantic
	@PYTHONPATH=.check python3.13 -m losi.catalogue
	python3.13 -m pip install --quiet --disable-pip-version-check --no-compile --no-deps \
		--root-user-action=ignore $(WHEELS) --require-hashes --requirement layer/requirements.txt \
		--target $(PACKAGES)
	cp -R losi $(PACKAGES)/losi
	find $(PACKAGES) -name __pycache__ -prune -exec rm -rf {} +
	cd $(PACKAGES) && rm -rf $(UNUSED)
# unchecked: a zip file's dates are no measure of whether the bytecode fits its source
	python3.13 -m compileall -q -j 0 --invalidation-mode unchecked-hash \
		-s $(ARTIFACTS_DIR) -p /opt $(PACKAGES)
