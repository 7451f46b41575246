# Everything that one does in this repository; `make` alone lists it.
# All of it happens in .venv and .venv-compat, which a missing or outdated installation makes anew.

PYTHON ?= python3
WORKERS ?= 2
PYTEST_FLAGS ?=
KEEP ?=
CASES ?=
ROUNDS ?=

VENV := .venv
RUN := $(VENV)/bin/python
# A worker that has nothing left takes tests from the others.
SHARED_OUT = --numprocesses $(WORKERS) --dist worksteal
PIP_FLAGS := -qq --disable-pip-version-check --no-input
INSTALLED := $(VENV)/.installed

PEERS := base-worker-0.6.0 base-worker-0.5.1 base-worker-0.3.7
PEERS_INSTALLED := $(PEERS:%=.venv-compat/%/.installed)

# What differs with the version of Python and of packages: models, types, documents, settings, values, public names.
DIFFERING := tests/options tests/settings tests/documents tests/elements tests/test_frozen.py tests/test_public_names.py

SCHEMAS := $(RUN) -m arkworker.cli.schema_files
DEMO_OUTPUT := demo-output

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL: # pytest's closing line comes last
.PHONY: help all demo test install format format-check lint types pyright schemas schemas-check pytest coverage compat campaign \
	bench dist docs interpreters lowest lowest-quick upgrade clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

all: format test ## format, then the whole check

demo: $(INSTALLED) ## a demonstration: an emulated Arkindex, a worker on two old prints, a picture; KEEP=1 to look around
	@$(RUN) examples/page_lines/demo.py --output $(DEMO_OUTPUT) $(if $(KEEP),--keep)

test: format-check lint types schemas-check pytest ## the whole check: format, lint, types, schemas, tests

install: $(INSTALLED) ## what the other targets need, in .venv

$(INSTALLED): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=…")'
	@echo "Installing in $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install $(PIP_FLAGS) --requirement requirements.lock
	@$(RUN) -m pip install $(PIP_FLAGS) --no-deps --no-build-isolation --editable .
	@touch $@

format: $(INSTALLED) ## format the code
	@$(RUN) -m ruff format .
	@$(RUN) -m ruff check --fix-only .

format-check: $(INSTALLED)
	@$(RUN) -m ruff format --check .

lint: $(INSTALLED) ## ruff's rules
	@$(RUN) -m ruff check .

types: $(INSTALLED) ## mypy, strict
	@$(RUN) -m mypy

pyright: $(INSTALLED) .venv-pyright/.installed ## check the types that users see with pyright; downloads 100 MB
	@.venv-pyright/bin/basedpyright

.venv-pyright/.installed: tests/typing/requirements.lock
	@echo "Installing in .venv-pyright …"
	@$(PYTHON) -m venv .venv-pyright
	@.venv-pyright/bin/python -m pip install $(PIP_FLAGS) --requirement $<
	@touch $@

schemas: $(INSTALLED) ## rewrite schemas/
	@$(SCHEMAS) --write schemas

schemas-check: $(INSTALLED)
	@$(SCHEMAS) --check schemas

pytest: $(INSTALLED) ## the tests alone
	@$(RUN) -m pytest $(SHARED_OUT) $(PYTEST_FLAGS)

coverage: $(INSTALLED) ## the tests, with the lines that none of them reaches
	@$(RUN) -m pytest $(SHARED_OUT) --cov --cov-report term-missing:skip-covered $(PYTEST_FLAGS)

compat: $(INSTALLED) $(PEERS_INSTALLED) ## compare with three published releases, each in an environment of its own
	@$(RUN) -m pytest -m compat tests/compat $(PYTEST_FLAGS)

# The oldest release has no packages for Python 3.13 and later.
.venv-compat/%/.installed: tests/compat/requirements/%.txt
	@echo "Installing in $(@D) …"
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install $(PIP_FLAGS) --requirement $<
	@touch $@

campaign: $(INSTALLED) ## the long fault runs
	@$(RUN) -m pytest -m campaign tests $(PYTEST_FLAGS)

bench: $(INSTALLED) $(PEERS_INSTALLED) ## one table, with the published releases and the limit; CASES=… ROUNDS=…
	@$(RUN) -m benchmarks $(CASES) $(if $(ROUNDS),--rounds $(ROUNDS))

dist: $(INSTALLED) .venv-dist/.installed ## build the packages, check them, and use the wheel in clean environments
	@rm -rf dist
	@.venv-dist/bin/python -m build --no-isolation --outdir dist . >/dev/null
	@.venv-dist/bin/python -m twine check --strict dist/*
	@.venv-dist/bin/check-wheel-contents dist/*.whl
	@.venv-dist/bin/pyroma --min 10 dist/*.tar.gz
	@$(RUN) -m pytest -m dist tests/dist $(PYTEST_FLAGS)

.venv-dist/.installed: tests/dist/requirements.lock
	@echo "Installing in .venv-dist …"
	@$(PYTHON) -m venv .venv-dist
	@.venv-dist/bin/python -m pip install $(PIP_FLAGS) --requirement $<
	@touch $@

docs: $(INSTALLED) .venv-docs/.installed ## build the documentation as a site, in build/site; warnings are errors
	@NO_MKDOCS_2_WARNING=1 .venv-docs/bin/python -m mkdocs build --strict --quiet
	@echo "build/site/index.html"

.venv-docs/.installed: requirements.lock docs/site/requirements.lock
	@echo "Installing in .venv-docs …"
	@$(PYTHON) -m venv .venv-docs
	@.venv-docs/bin/python -m pip install $(PIP_FLAGS) --requirement requirements.lock --requirement docs/site/requirements.lock
	@.venv-docs/bin/python -m pip install $(PIP_FLAGS) --no-deps --no-build-isolation --editable .
	@touch $@

interpreters: $(INSTALLED) ## the tests of what depends on the version, on each newer Python that is installed
	@WORKERS=$(WORKERS) .ci/interpreters $(DIFFERING) $(PYTEST_FLAGS)

lowest: .venv-lowest/.installed ## the tests with the oldest packages that pyproject.toml admits
	@.venv-lowest/bin/python -m pytest $(SHARED_OUT) $(PYTEST_FLAGS)

lowest-quick: .venv-lowest/.installed ## the same, for what depends on the version
	@.venv-lowest/bin/python -m pytest $(SHARED_OUT) $(DIFFERING) $(PYTEST_FLAGS)

.venv-lowest/.installed: pyproject.toml tests/dist/lowest.lock
	@echo "Installing in .venv-lowest …"
	@$(PYTHON) -m venv .venv-lowest
	@.venv-lowest/bin/python -m pip install $(PIP_FLAGS) --requirement tests/dist/lowest.lock
	@.venv-lowest/bin/python -m pip install $(PIP_FLAGS) --no-deps --no-build-isolation --editable .
	@touch $@

upgrade: $(INSTALLED) ## the newest packages that pyproject.toml admits, written to requirements.lock
	@$(RUN) -m pip install $(PIP_FLAGS) --upgrade --upgrade-strategy eager --editable '.[dev]' hatchling hatch-fancy-pypi-readme
	@{ sed -n '/^#/p' requirements.lock; $(RUN) -m pip freeze --exclude-editable; } > requirements.lock.new
	@mv requirements.lock.new requirements.lock

clean: ## remove everything that can be generated again
	@rm -rf $(VENV) .venv-compat .venv-dist .venv-docs .venv-lowest .venv-pyright .venv-python* $(DEMO_OUTPUT) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage htmlcov build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
