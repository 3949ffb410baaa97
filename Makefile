# `make` or `make help` lists the targets. Needs python >= 3.11 with venv, and make; nothing else.

PYTHON ?= python3
VENV ?= .venv
UV ?= uv
DATA ?= $(or $(EDGEAVATAR_DATA),../shared/data)
# Of training, on a GPU of the size of an H100; multiply by what yours is slower.
MINUTES ?= 60
PHASES ?= listen:0.18,move:0.07,both:0.15,listen:0.28,hear:0.32
NETS ?= mouth-painter mouth-painter-small motion-nets
DEMO_TEXT ?= Good morning. Every frame of this video was made on this computer, without a network. \
	My face belongs to nobody, and my voice is a small file on this disk.

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip
# Pip resolves nothing here: every package is in the lock, with its hash.
PIP_INSTALL := $(PIP) install --disable-pip-version-check --no-deps --require-hashes --only-binary=:all:
PROJECT := pyproject.toml hatch_build.py edgeavatar/__init__.py

NEEDS_EXPORT = $(BIN)/python -c 'import torch, onnx, onnxslim, nncf, PIL' 2>/dev/null || { echo "error: expected torch, \
	onnx, onnxslim, nncf and pillow, found not all of them; install them: $(BIN)/pip install -e '.[export]'" >&2; exit 1; }

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: help demo test install install-dev check format bench export basis train models docs lock clean distclean

help: ## this list
	@printf 'make TARGET\n\n'
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' Makefile | while IFS="$$(printf '\t')" read -r name text; \
		do printf '  %-12s %s\n' "$$name" "$$text"; done
	@printf '\nPYTHON=python3.12 chooses an interpreter, EDGEAVATAR_MODELS=DIR another model store.\n'

demo: ## from nothing to out/demo.mp4: install, fetch the default models, render
	@set -e; now() { date +%s; }; t0=$$(now); \
	$(MAKE) --no-print-directory install; t1=$$(now); \
	$(BIN)/edgeavatar models install --profile default; t2=$$(now); \
	mkdir -p out; \
	$(BIN)/edgeavatar render --source examples/portrait.jpg --text "$(DEMO_TEXT)" -o out/demo.mp4; \
	t3=$$(now); \
	printf '\n  dependencies  %4d s\n  models        %4d s\n  render        %4d s\n\n%s\n\n' \
		$$((t1 - t0)) $$((t2 - t1)) $$((t3 - t2)) "$(CURDIR)/out/demo.mp4"; \
	printf 'Next:\n'; \
	printf '  %s\n' \
		'. $(BIN)/activate' \
		'edgeavatar render --source YOUR_PHOTO.jpg --text "Your words." -o out/mine.mp4' \
		'edgeavatar render --source CLIP.mp4 --audio SPEECH.wav -o out/dubbed.mp4' \
		'edgeavatar doctor'

test: install-dev ## set up what the tests need and run them (PYTEST_ARGS="-k face" chooses)
	@$(BIN)/edgeavatar models install --profile test
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

install: $(VENV)/.runtime ## .venv with edgeavatar and its locked dependencies

install-dev: $(VENV)/.dev ## the same and the developers' tools

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) -V 2>&1); try: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "error: $(PYTHON) cannot make a virtual environment; on Debian: apt install python3-venv" >&2; exit 1; }

$(VENV)/.runtime: requirements/runtime.txt $(PROJECT) | $(BIN)/python
	$(PIP_INSTALL) -r requirements/runtime.txt
	$(PIP) install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(PROJECT) | $(BIN)/python
	$(PIP_INSTALL) -r requirements/dev.txt
	$(PIP) install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.runtime

check: install-dev ## format, lint, types, import graph, manifest, freshness of docs/cli.md
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/edgeavatar models verify --manifest
	$(BIN)/python docs/cli_reference.py --check
	$(BIN)/python -m pytest -q tests/test_imports.py

format: install-dev ## write the code the way ruff likes it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install-dev ## speed and quality, each benchmark with its table
	@$(BIN)/edgeavatar models install --profile test
	@set -e; for script in benchmarks/[!_]*.py; do echo "== $$script"; $(BIN)/python "$$script"; done

export: install-dev ## build and judge the files of our nets in out/export (NETS="mouth-painter" chooses)
	@$(NEEDS_EXPORT)
	@$(BIN)/edgeavatar models install face portrait voice-hibari
	@set -e; for net in $(NETS); do $(BIN)/python -m export build $$net -o out/export/$$net; done

basis: install-dev ## derive the face basis anew from the rig in DATA
	@test -d "$(DATA)" || { echo "error: expected the data sets in $(DATA), found nothing; make basis DATA=FOLDER" >&2; exit 1; }
	@$(BIN)/edgeavatar models install face
	$(BIN)/python -m export.face_basis --rig "$(DATA)/ict_facekit.npz" -o models/face_basis.npz

train: install-dev ## train the nets anew from the data sets in DATA (a GPU, or patience)
	@test -d "$(DATA)" || { echo "error: expected the data sets in $(DATA), found nothing; make train DATA=FOLDER" >&2; exit 1; }
	@$(NEEDS_EXPORT)
	@$(BIN)/edgeavatar models install face portrait voice-hibari voice-kokoro voice-joe
	$(BIN)/python -m export.train.pack --data "$(DATA)" --cache out/cache -o out/pack
	$(BIN)/python -m export.train.motion --pack out/pack -o out/motion --minutes $(MINUTES) --phases $(PHASES)
	$(BIN)/python -m export build motion-nets --checkpoint out/motion/motion.pt -o out/export/motion-nets
	$(BIN)/python -m export publish out/export/motion-nets --precision fp16
	$(BIN)/python -m export.train.mouths --data "$(DATA)" -o out/mouths
	$(BIN)/python -m export.train.painter --pack out/mouths -o out/painter --minutes 4 --batch 48
	$(BIN)/python -m export.train.painter --pack out/mouths -o out/painter-small --minutes 4 --batch 48 --width 16
	set -e; for net in painter painter-small; do \
		$(BIN)/python -m export build mouth-$$net --checkpoint out/$$net/painter.pt -o out/export/mouth-$$net; \
		$(BIN)/python -m export publish out/export/mouth-$$net --precision fp16,int8 --format onnx; done

models: install ## install the default models
	@$(BIN)/edgeavatar models install --profile default

docs: install-dev ## write docs/cli.md from --help
	$(BIN)/python docs/cli_reference.py

lock: ## pin the newest dependencies (needs uv)
	$(UV) pip compile $(LOCK) pyproject.toml requirements/build.in --extra plot -o requirements/runtime.txt
	$(UV) pip compile $(LOCK) pyproject.toml requirements/build.in --extra plot --extra dev -c requirements/runtime.txt -o requirements/dev.txt

LOCK := --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--fork-strategy fewest --no-header --no-annotate --no-emit-index-url --no-emit-find-links

clean: ## remove what was made here, except .venv and models
	rm -rf out build dist .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -exec rm -rf {} +

distclean: clean ## remove .venv too
	rm -rf $(VENV)
