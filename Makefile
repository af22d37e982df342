# Each target does its own set-up from a bare checkout: Python 3.11 or newer with venv, and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Idle OpenMP threads that spin slow small models many times over on a shared machine.
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: demo test lint bench lock clean
.DELETE_ON_ERROR:

demo: $(READY)
	$(BIN)/fusible demo -o demo

# A worker per core, with one thread each; tests of a file share their fixtures, so that they stay together.
test: export OMP_NUM_THREADS = 1
test: lint
	$(BIN)/pytest -n logical --maxprocesses=8 --dist loadfile

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# Full benchmarks, one result file each; FUSIBLE_DATA names the folder of their data.
bench: $(READY)
	@for file in benchmarks/[a-z]*.py; do \
		name=$$(basename $$file .py); \
		if [ $$name = readme ]; then continue; fi; \
		echo "== $$name"; \
		$(BIN)/python $$file --json benchmarks/results/$$name.json || exit 1; \
	done
	$(BIN)/python benchmarks/readme.py

# The lock pins every package. Dependencies are resolved all the same: on some systems PyPI's build of torch is one for
# CUDA, whose libraries are packages of their own.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=…")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

# Pins what is installed now, peers of the extra bench apart: install or upgrade in .venv first, run the tests, then lock.
lock:
	( sed -n '/^#/p' requirements.lock; \
	  $(BIN)/python -m pip freeze --all --exclude-editable --exclude cca-zoo --exclude tensorly --exclude usearch --exclude numkong --exclude scenedetect-headless --exclude opencv-python-headless | sed -e 's/+cpu$$//' -e '/ @ /d' -e '/^pip==/d' ) > requirements.lock.new
	mv requirements.lock.new requirements.lock

clean:
	rm -rf $(VENV) demo
