# Sheratan. `make help` lists the targets; each sets up what it needs in .venv, and a second run of the setup costs nothing.
# Only Python >= 3.11 is needed. PYTHON=/some/python chooses another one.

SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

# What the caller's shell points Python at must not leak into .venv.
unexport PYTHONPATH PYTHONHOME

VENV := .venv
PY := $(VENV)/bin/python
# More than two test processes gain nothing on small machines and make timing-sensitive tests fight each other.
WORKERS ?= 2
# Narrow a run: make test TESTS=tests/house ARGS="-k ratchet -x"
TESTS ?= tests
ARGS ?=
# `editable` tests the sources in place; `wheel` tests what a user would install.
INSTALL ?= editable

# Hashed, prebuilt, nothing else: with --only-binary pip can never fetch an unhashed build dependency.
PIP_INSTALL := -m pip install -qq --disable-pip-version-check --no-input --require-hashes --only-binary=:all:
# The project itself: built by the locked backend, its dependencies are there already.
PIP_PROJECT := -m pip install -qq --disable-pip-version-check --no-input --no-deps --no-build-isolation --no-index

# ----------------------------------------------------------------------------------------------------------------------
# Environment

.PHONY: setup setup-run
setup: $(VENV)/.stamp-dev  ## set up .venv for development
setup-run: $(VENV)/.stamp-run  ## set up .venv with what a user gets, no more

# The interpreter is the target: when the Python behind the link is gone, the environment is made anew.
$(PY):
	@python="$(PYTHON)"; \
	if [ -z "$$python" ]; then \
	    for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	        if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then python=$$candidate; break; fi; \
	    done; \
	fi; \
	if [ -z "$$python" ]; then \
	    echo "Sheratan needs Python 3.11 or newer, and none was found. Install one, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; \
	fi; \
	if ! "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    echo "Sheratan needs Python 3.11 or newer; PYTHON=$$python is older or does not run." >&2; exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then \
	    echo "$$python has no venv module. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; \
	fi; \
	echo "setup: environment in $(VENV)"; \
	"$$python" -m venv --clear $(VENV)

$(VENV)/.stamp-run: pyproject.toml requirements/run.txt requirements/build.txt | $(PY)
	@echo "setup: dependencies"
	@$(PY) $(PIP_INSTALL) -r requirements/run.txt -r requirements/build.txt
	@$(PY) $(PIP_PROJECT) --editable .
	@touch $@

$(VENV)/.stamp-dev: pyproject.toml requirements/dev.txt requirements/run.txt requirements/build.txt | $(PY)
	@echo "setup: dependencies for development"
	@$(PY) $(PIP_INSTALL) -r requirements/dev.txt
	@$(PY) $(PIP_PROJECT) --editable .
	@touch $(VENV)/.stamp-run $@

# ----------------------------------------------------------------------------------------------------------------------
# Running

.PHONY: demo bench bench-peers simulate crash
demo: $(VENV)/.stamp-run  ## run the main job (REPO=path: on that repository)
	@$(PY) -m sheratan demo $(if $(REPO),--repo "$$REPO")

bench: $(VENV)/.stamp-dev  ## measure, beside what this machine could at most (ARGS="...")
	@$(PY) -m bench $(ARGS)

# Sets up an environment per peer in build/peers/, each from its own lock; a peer that cannot run says why in its row.
bench-peers: $(VENV)/.stamp-dev  ## measure beside other queues (ARGS="--quick", ARGS="--only rq", ARGS="--durable")
	@$(PY) -m bench.peers $(ARGS)

simulate: $(VENV)/.stamp-run  ## run the engine in simulated worlds, with faults (ARGS="--seeds 10000")
	@$(PY) -m sheratan dev simulate $(ARGS)

crash: $(VENV)/.stamp-dev  ## run the crash battery (ARGS="T01 --full --seed 7")
	@$(PY) -m crash $(ARGS)

.PHONY: mutants
mutants: $(VENV)/.stamp-dev  ## plant bugs, which the simulator must find (ARGS="sync-off --seeds 50")
	@$(PY) -m mutants $(ARGS)

# ----------------------------------------------------------------------------------------------------------------------
# Tests

.PHONY: test wheel-test coverage
test: test-$(INSTALL)  ## run the tests (TESTS=path ARGS="..." INSTALL=editable|wheel)
wheel-test: test-wheel  ## build the wheel and run the tests against it

.PHONY: test-editable test-wheel
test-editable: $(VENV)/.stamp-dev
	@$(PY) -m pytest -q -n $(WORKERS) --dist worksteal $(TESTS) $(ARGS)

test-wheel: $(VENV)/.stamp-dev
	@$(PY) -m tools.wheel_test -q -n $(WORKERS) --dist worksteal $(TESTS) $(ARGS)

coverage: $(VENV)/.stamp-dev  ## run the tests in one process and show what they do not reach
	@$(PY) -m coverage erase
	@$(PY) -m coverage run -m pytest -q $(TESTS) $(ARGS)
	@$(PY) -m coverage combine -q
	@$(PY) -m coverage report

# ----------------------------------------------------------------------------------------------------------------------
# Checks: one line each when all is well. `make -k check` shows the faults of all of them.

CHECKED := $(wildcard src tests tools bench crash mutants examples)

.PHONY: check check-format check-lint check-types check-imports check-purity check-outside check-ratchet check-tests check-docs check-dependencies format
check: check-format check-lint check-types check-imports check-purity check-outside check-ratchet check-tests check-docs check-dependencies  ## format, lint, types, layers, purity, guards, budgets, docs, dependencies

check-format: $(VENV)/.stamp-dev
	@$(PY) -m tools.quietly format $(PY) -m ruff format --check $(CHECKED)

check-lint: $(VENV)/.stamp-dev
	@$(PY) -m tools.quietly lint $(PY) -m ruff check $(CHECKED)

check-types: $(VENV)/.stamp-dev
	@$(PY) -m tools.quietly types $(PY) -m pyrefly check --python-interpreter-path $(PY)

check-imports: $(VENV)/.stamp-dev
	@$(PY) -m tools.quietly imports $(PY) -m tools.check_imports

check-purity: $(VENV)/.stamp-dev
	@$(PY) -m tools.check_purity

check-outside: $(VENV)/.stamp-dev
	@$(PY) -m tools.check_outside_calls

check-ratchet: $(VENV)/.stamp-dev
	@$(PY) -m tools.check_ratchet

check-tests: $(VENV)/.stamp-dev
	@$(PY) -m tools.check_tests

# Generated pages are made anew and compared.
check-docs: $(VENV)/.stamp-dev
ifneq ($(wildcard tools/generate_docs.py),)
	@$(PY) tools/generate_docs.py --check
else
	@echo "docs: nothing is generated yet"
endif

check-dependencies: $(VENV)/.stamp-dev
	@$(PY) -m tools.check_dependencies

format: $(VENV)/.stamp-dev  ## format and apply the safe fixes
	@$(PY) -m ruff check -q --fix-only $(CHECKED)
	@$(PY) -m ruff format -q $(CHECKED)

# ----------------------------------------------------------------------------------------------------------------------
# The rest

.PHONY: lock clean help
lock: $(VENV)/.stamp-run  ## resolve the dependencies anew and write requirements/*.txt
	@$(PY) -m tools.lock

clean:  ## remove environments, caches and builds
	@rm -rf $(VENV) build dist .pytest_cache .ruff_cache .import_linter_cache .pyrefly_cache .hypothesis htmlcov .coverage .coverage.*
	@find src tests tools bench crash mutants -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

help:  ## list the targets
	@awk -F ':.*##' '/^[a-z-]+:.*##/ { sub(/^[ ]+/, "", $$2); printf "  make %-12s %s\n", $$1, $$2 }' Makefile
