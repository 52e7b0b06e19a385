# Two commands are enough: `make demo` and `make test`. Each sets up what it needs.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Compiled modules are kept, whatever the shell says: every later start takes a third of the time.
export PYTHONDONTWRITEBYTECODE :=
APICAL := $(BIN)/python -m apical
UV := PATH="$$PATH:$(CURDIR)/$(BIN)" uv

.PHONY: help setup demo test kills check lint types bench constraints clean

help:  ## Say what there is
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(READY)  ## Make the environment in .venv (done by the others when needed)

$(READY): pyproject.toml constraints.txt
	@command -v python3 >/dev/null || { echo "Python 3.11 or newer is needed."; exit 1; }
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; this is $$(python3 --version)."; exit 1; }
	@command -v uv >/dev/null || test -x $(BIN)/uv || { python3 -m venv $(VENV) && $(BIN)/python -m pip install --quiet --disable-pip-version-check uv; }
	@test -x $(BIN)/python || $(UV) venv --quiet --python python3 $(VENV)
	$(UV) pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(READY)  ## Synthetic hearts, through the whole road, ending in pages
	$(APICAL) phantom demo/echonet --layout echonet_dynamic --patients 120 --seed 1 --dirt
	$(APICAL) ingest echonet_dynamic demo/echonet --out demo/dataset on_split_conflict=hold_out
	$(APICAL) inspect demo/dataset --out demo/report
	$(APICAL) pretrain simclr --data demo/dataset --out demo/encoder --recipe saeed2022-simclr-deeplabv3-tiny --resume
	$(APICAL) finetune lv_segmentation --data demo/dataset --out demo/from-random --labels 5% --recipe tiny --resume
	$(APICAL) finetune lv_segmentation --data demo/dataset --out demo/from-simclr --labels 5% --recipe tiny --resume --init demo/encoder
	$(APICAL) evaluate demo/from-random --data demo/dataset --out demo/scores/from-random
	$(APICAL) evaluate demo/from-simclr --data demo/dataset --out demo/scores/from-simclr
	$(APICAL) compare demo/scores/from-random demo/scores/from-simclr

test: $(READY)  ## All tests
	$(BIN)/python -m pytest -n 2 --dist worksteal

kills: $(READY)  ## Every training killed twenty times, and resumed
	APICAL_KILLS=20 $(BIN)/python -m pytest tests/resume

lint: $(READY)  ## Style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)  ## Types, strictly
	$(BIN)/mypy

check: lint types test  ## Style, types, tests: what a change must pass

bench: $(READY)  ## Every benchmark beside its rival
	$(BIN)/python benchmarks/ingest.py
	$(BIN)/python benchmarks/frames.py
	$(BIN)/python benchmarks/phantom.py
	$(BIN)/python benchmarks/pretrain.py
	$(BIN)/python benchmarks/intervals.py
	$(BIN)/python benchmarks/segmentation.py
	$(BIN)/python benchmarks/video.py
	$(BIN)/python benchmarks/raptor.py
	$(BIN)/python benchmarks/neighbours.py

constraints: $(READY)  ## Pin every dependency anew
	$(UV) pip compile --quiet --no-header --no-annotate --no-emit-index-url --universal --all-extras --python-version 3.11 pyproject.toml --output-file constraints.txt

clean:  ## Remove what the commands above made
	rm -rf demo build dist .pytest_cache .mypy_cache .ruff_cache
