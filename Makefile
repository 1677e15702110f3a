# The front door. `make` alone lists what there is.
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
BIN := .venv/bin
# Hashes for every platform, and no registry's address.
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--upgrade --custom-compile-command "make lock"

# A file stays with one worker: its tests share engines.
TWO = -n 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help run test check lint lint-python lint-web web-test crash bench openapi migrate doctor shots lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

run: ## serve the demo world on http://localhost:8000, all set-up included
	@$(PYTHON) bootstrap.py run
	@exec $(BIN)/mentorspan serve --development --with-parent $$PPID

test: ## lint, types, import contracts, then every test but the long ones, all set-up included
	@$(PYTHON) bootstrap.py test
	@$(MAKE) --no-print-directory -j2 --output-sync lint web-test
	@$(BIN)/python -m pytest $(TWO) -m "not browser and not alone and not long"
	@$(BIN)/python -m pytest $(TWO) -m "browser and not alone and not long" tests/e2e tests/independent
	@$(BIN)/python -m pytest -m alone tests/streams tests/e2e tests/independent

check: ## the quick part of `test`: no browser and nothing slow
	@$(PYTHON) bootstrap.py test
	@$(MAKE) --no-print-directory -j2 --output-sync lint web-test
	@$(BIN)/python -m pytest -q -m "not slow and not browser and not long"

lint: lint-python lint-web ## formatting, lint, types (Python and web), import contracts

lint-python:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lint-web:
	cd web && npm run --silent check

web-test: lint-web
	cd web && npm run --silent test

crash: ## the long run: kill everything again and again, a thousand revocations, hostile clients, every play
	@$(PYTHON) bootstrap.py test
	@MENTORSPAN_FULL=1 $(BIN)/python -m pytest -s -n 0 tests/streams
	@$(BIN)/python -m pytest -q -n 2 -m "long and not browser" tests/app tests/frontdoor tests/signalling tests/independent
	@$(BIN)/python -m pytest -q -n 0 -m "long and browser" tests/independent

bench: ## measure what the project claims; prints JSON
	@$(PYTHON) bootstrap.py test
	@$(BIN)/python -m bench

openapi: ## write openapi.yaml from the code
	@$(PYTHON) bootstrap.py run
	@$(BIN)/mentorspan openapi

migrate: ## bring the database to the newest schema
	@$(PYTHON) bootstrap.py run
	@$(BIN)/mentorspan migrate

doctor: ## what is wrong here and what to do about it
	@$(PYTHON) bootstrap.py run
	@MENTORSPAN_MODE=development $(BIN)/mentorspan doctor

shots: ## screenshots of the main pages, for looking at
	@$(PYTHON) bootstrap.py test
	@$(BIN)/python -m tests.e2e.shots

lock: ## resolve the dependencies anew and write the lock files
	$(LOCK) pyproject.toml --group build -o requirements.lock
	$(LOCK) pyproject.toml --group build --group dev -c requirements.lock -o requirements-dev.lock
	$(LOCK) --group node -o requirements-node.lock
	$(LOCK) --group installer -c requirements-dev.lock -o requirements-uv.lock

clean: ## remove the environment and the web client's packages; data stay
	rm -rf .venv web/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info
