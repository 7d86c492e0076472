# Helicon: every job is one command. `make` lists them.
# Python 3.11+ and make are all that must be on the machine; the rest is installed into .venv from
# constraints/*.txt, which pin versions and hashes and name no address: pip's own configuration says where from.

HOST ?= 127.0.0.1
PORT ?= 8080
DATA_DIR ?= ./data
ARGS ?=

# The first Python that is new enough; `make setup PYTHON=/path/to/python3.12` chooses another.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)

VENV := .venv
PY := $(VENV)/bin/python
STAMPS := $(VENV)/.stamps
PIP := $(PY) -m pip --disable-pip-version-check --no-input --quiet install --root-user-action=ignore
LOCK := $(PY) -m uv --quiet pip compile --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-header --no-emit-package helicon --override $(STAMPS)/override.txt
SOURCES = $(shell $(PY) -m tools.tree)

# The portal brings its own build: portal/build.mk makes the browser's files and names its stamp in PORTAL.
PORTAL :=
-include portal/build.mk

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run setup dev test faults faults-full check format bench bench-quick lock \
	check-format check-lint check-types check-imports check-dead-code check-docs

help: ## list the commands
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

run: setup ## start the server with its embedded database in ./data (PORT= and HOST= override)
	@exec $(PY) -m helicon_server.cli serve --data-dir $(DATA_DIR) --host $(HOST) --port $(PORT) --log-format text --demo

setup: $(STAMPS)/install $(PORTAL) ## install and build everything that `run` needs
	@:

test: dev ## run all tests (ARGS="-k publish" narrows)
	@$(PY) -m pytest $(ARGS)

faults: dev ## check 200 seeded histories under faults, beside the ten of `test` (ARGS="--seed 7 --runs 1")
	@$(PY) -m tests.faults.history --seed 10 --runs 200 $(ARGS)

faults-full: dev ## the faults whose tests are smaller than the catalogue's figures, at their full size
	@FAULTS_SCALE=full $(PY) -m pytest -k full tests/faults $(ARGS)

check: check-format check-lint check-types check-imports check-dead-code check-docs ## format, lint, types, imports, dead code, docs

format: dev ## rewrite the sources in the project's format
	@$(PY) -m ruff check --quiet --fix-only .
	@$(PY) -m ruff format .

bench: dev ## measure side by side with peers and print ratios (ARGS="wake_rate" for one)
	@$(PY) -m benchmarks $(ARGS)

bench-quick: dev ## most of them, shorter, in two to three minutes
	@$(PY) -m benchmarks --quick $(ARGS)

lock: $(STAMPS)/lock ## choose new versions for constraints/*.txt within the ranges of pyproject.toml
	@echo "helicon @ file:./client" > $(STAMPS)/override.txt
	$(LOCK) --upgrade pyproject.toml --group build -o constraints/run.txt
	$(LOCK) --upgrade pyproject.toml --group build --group test --group check \
		-c constraints/run.txt -o constraints/dev.txt
	echo uv | $(LOCK) --upgrade - -o constraints/lock.txt

# The parts of `check`, each a command of its own. `make -k check` shows the faults of all of them at once.

check-format: dev
	@echo "format"; $(PY) -m ruff format --quiet --check . || { $(PY) -m ruff format --diff . ; exit 1; }

check-lint: dev
	@echo "lint"; $(PY) -m ruff check --quiet .

check-types: dev
	@echo "types"; $(PY) -m mypy --no-error-summary client
	@$(PY) -m mypy --no-error-summary $(filter-out client,$(SOURCES))  # apart: both have a tests/conftest.py

check-imports: dev
	@echo "import rules"; $(VENV)/bin/lint-imports > $(STAMPS)/imports.txt \
		|| { cat $(STAMPS)/imports.txt; exit 1; }
	@$(PY) -m tools.check_modules

check-dead-code: dev
	@echo "dead code"; $(PY) -m tools.check_dead_code

check-docs: dev
	@echo "docs, constraints, hygiene"; $(PY) -m tools.check_docs && $(PY) -m tools.check_constraints \
		&& $(PY) -m tools.check_hygiene

# What the commands stand on. A stamp is as old as what was installed; nothing newer means nothing to do, offline too.

dev: setup $(STAMPS)/dev
	@:

# A .venv whose Python is gone (upgraded, moved) is made anew.
BROKEN := $(shell test -x $(PY) || echo yes)
ifdef BROKEN
$(STAMPS)/venv: FORCE
FORCE:
endif

$(STAMPS)/venv:
	@test -n "$(PYTHON)" || { echo "Helicon needs Python 3.11 or newer, and none is on the PATH (python3 is:" \
		"$$(python3 --version 2>&1)). Install one, or name it: make setup PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Helicon needs Python 3.11 or" \
		"newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Name another: make setup PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) lacks the modules venv and ensurepip." \
		"Debian and Ubuntu keep them in a package of their own: apt install python3-venv" >&2; exit 1; }
	@echo "creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(if $(BROKEN),--clear) $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/run: constraints/run.txt $(STAMPS)/venv
	@echo "installing what the server needs"
	@$(PIP) --require-hashes -r constraints/run.txt
	@touch $@

$(STAMPS)/install: pyproject.toml client/pyproject.toml $(STAMPS)/run
	@$(PIP) --no-deps --no-build-isolation -e client -e .
	@touch $@

$(STAMPS)/dev: constraints/dev.txt $(STAMPS)/install
	@echo "installing what tests and checks need"
	@$(PIP) --require-hashes -r constraints/dev.txt
	@touch $@

$(STAMPS)/lock: constraints/lock.txt $(STAMPS)/install
	@$(PIP) --require-hashes -r constraints/lock.txt
	@touch $@
