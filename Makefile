# make demo   a world, a trained model, a calibrated gallery, located panoramas, a page
# make test   the test suite
# make docs   this project's site, into site/
# make check  ruff, ruff format, mypy, the tests, and where there is AVX-512
#             those of numbers once more without it: what CI runs
# Each sets up .venv first where it is missing or older than the pins.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO ?= demo
# pip compiles nothing (see install): what is imported is kept compiled, though
# the environment may say otherwise; each start would take 5 seconds longer.
export PYTHONDONTWRITEBYTECODE :=

# Three at once: each waits for processes that it starts, for a third of its time.
PYTEST := $(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder

# What a processor without AVX-512 would compute with: oneDNN, OpenBLAS, NumPy.
WITHOUT_AVX512 := ONEDNN_MAX_CPU_ISA=AVX2 OPENBLAS_CORETYPE=Haswell NPY_DISABLE_CPU_FEATURES="X86_V4 AVX512_ICL AVX512_SPR"
# Tests of layers, systems, losses, steps, metrics, retrieval, exports, answers.
NUMERIC := tests/layers tests/test_layer_contract.py tests/models/test_mgtl.py tests/models/test_safa.py \
  tests/test_losses.py tests/test_info_nce.py tests/test_metrics.py tests/test_recall_within.py tests/test_evaluation.py \
  tests/training/test_step.py tests/retrieval/ann/test_exact.py tests/retrieval/test_answers.py \
  tests/retrieval/test_localizer.py tests/export/test_saved_model.py tests/serving/test_served.py

.DEFAULT_GOAL := help
.PHONY: help demo test check install docs types numbers

help:
	@sed -n 's/^# //p' Makefile | head -6

install: $(VENV)/installed

$(VENV)/installed: constraints.txt requirements.txt setup.py
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(not (3, 11) <= v < (3, 14) and "Python 3.11, 3.12 or 3.13 is needed; this is %d.%d: make PYTHON=python3.12 ..." % v)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[dev]'
	touch $@

demo: install
	$(BIN)/python -m experiments.make_world --output_dir=$(DEMO)/world
	$(BIN)/python -m experiments.train --preset=procedural --data_dir=$(DEMO)/world --run_dir=$(DEMO)/run
	$(BIN)/python -m experiments.evaluate --run_dir=$(DEMO)/run
	$(BIN)/python -m experiments.export --run_dir=$(DEMO)/run --output_dir=$(DEMO)/run/export
	$(BIN)/python -m experiments.index --model=$(DEMO)/run/export --images=$(DEMO)/world/splits/val-19zl.csv --locations=$(DEMO)/world/locations.csv --output_dir=$(DEMO)/gallery
	$(BIN)/python -m experiments.calibrate --model=$(DEMO)/run/export --gallery=$(DEMO)/gallery --queries=$(DEMO)/world/splits/val-19zl.csv
	$(BIN)/python -m experiments.locate --model=$(DEMO)/run/export --gallery=$(DEMO)/gallery --picture=$(DEMO)/located.jpg $(DEMO)/world/$$(sed -n 500p $(DEMO)/world/splits/val-19zl.csv | cut -d, -f2)
	@echo "Now open $(DEMO)/run/report/report.html, $(DEMO)/located.jpg and $(DEMO)/world/contact_sheet.jpg"

test: install
	$(PYTEST) --durations=12

docs: install
	$(BIN)/mkdocs build --strict

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(MAKE) --jobs=2 types numbers
	$(PYTEST) --durations=12

# Either keeps one core busy.
types: install
	$(BIN)/mypy

numbers: install
	if grep -qs avx512f /proc/cpuinfo; then \
	  $(WITHOUT_AVX512) $(BIN)/python -m pytest -q -k "not browser" $(NUMERIC); \
	else echo "no AVX-512 here: the test suite runs without it as it is"; fi
