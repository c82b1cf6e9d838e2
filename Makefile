# make demo: the whole line in minutes.  make test: the tests, make test-runtime: some.  Both set everything up first; needs Python and make.
# make test-lowest: the runtime's tests against the lowest versions that pyproject.toml allows; take Python 3.10.
# make docs: the documentation site, in site/site.
# make test-packages: what tests need besides, as root or with sudo, on Debian; without it, tests skip and say so.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SKIPPED := $(VENV)/.skipped
LOWEST := .venv-lowest
# Tests that want PyTorch, TensorRT, every extra, or an ONNX Runtime that tells where nodes ran (1.24).
NOT_LOWEST := test_sam_* test_tensorrt_* test_engines_assignment.py test_engines_systems.py test_executed.py test_platforms.py test_demo_frames.py test_arrows.py
DEBIAN := $(shell sed 's/\#.*//' tests/debian.txt)
APT_GET := $(if $(filter-out 0,$(shell id -u)),sudo) env DEBIAN_FRONTEND=noninteractive apt-get --quiet --yes --option Acquire::Retries=3

# Tests start hundreds of processes: without kept bytecode each compiles PyTorch anew, which takes three times as long as to import it.
export PYTHONDONTWRITEBYTECODE :=

# Where CI=true, the packages are installed first, and then no test may skip but for the lack of a GPU.
ifeq ($(CI),true)
test: test-packages
PYTEST_OPTIONS := --no-skips
endif

.PHONY: demo test test-packages test-lowest docs lint clean

demo: $(INSTALLED)
	$(BIN)/clipdepth demo --out demo

# Three folders at a time, the longest first: the tests keep to one thread each, and some wait for other processes.
test: $(INSTALLED)
	@rm -f $(SKIPPED)
	$(MAKE) --no-print-directory --jobs 3 --output-sync $(addprefix test-,export runtime cluster benchmarks train packaging)
	@if [ -e $(SKIPPED) ]; then cat $(SKIPPED); echo "'make test-packages' brings what these need, save for a GPU"; fi

test-%: $(INSTALLED)
	$(BIN)/python -m pytest --skipped-to $(SKIPPED) $(PYTEST_OPTIONS) tests/$*

# apt-get asks no server where all is there already.
test-packages: $(INSTALLED)
	$(APT_GET) install --no-install-recommends $(DEBIAN) || { $(APT_GET) update && $(APT_GET) install --no-install-recommends $(DEBIAN); }
	$(BIN)/uv pip install --python $(BIN)/python --group peers

# In an environment of its own, without PyTorch.
test-lowest:
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(LOWEST)/bin/uv pip install --python $(LOWEST)/bin/python --resolution lowest-direct \
		--editable '.[cpu,viewer,hub,completion,bench,cluster,openvino]' --group test
	$(LOWEST)/bin/python -m pytest tests/runtime tests/cluster/test_cluster.py $(NOT_LOWEST:%=--ignore-glob='*/runtime/%')

# The site: site/site/index.html. A warning or a dead link is an error.
docs: $(INSTALLED)
	$(BIN)/python website/make_site.py site

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(INSTALLED): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 10) else "clipdepth needs Python 3.10 or newer; try make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --python $(BIN)/python --editable '.[cpu,export]' --group dev
	touch $@

clean:
	rm -rf $(VENV) $(LOWEST) demo dist site
