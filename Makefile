# make demo: the whole line in minutes.  make test: the tests, make test-runtime: some.  Both set everything up first; needs Python and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test lint clean

demo: $(INSTALLED)
	$(BIN)/clipdepth demo --out demo

# Two folders at a time: the tests keep to one thread each.
test: $(INSTALLED)
	$(MAKE) --no-print-directory --jobs 2 --output-sync $(addprefix test-,export train runtime benchmarks packaging)

test-%: $(INSTALLED)
	$(BIN)/python -m pytest tests/$*

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
	rm -rf $(VENV) demo dist
