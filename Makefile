# Onebreath. `make` lists what can be made; every target does the set-up it needs.

SHELL := /bin/bash
PYTHON ?= python3
export PYTHON
BIN := .venv/bin
ROOM := pulseaudio pulseaudio-utils libasound2-plugins strace iproute2 postgresql chromium
# Debian starts a web server that it installs: only where nobody would mind.
ROOM += $(if $(CI),nginx-light)

.PHONY: help setup setup-tests demo test test-fast check format lock bench clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## Install what this machine lacks: system packages and the virtual environment
	@tools/setup.sh

setup-tests:
	@tools/setup.sh $(ROOM)

demo: setup ## Run the whole product once on synthesised speech (MIC=1: your own voice; KEEP=1: with a page to sign in to)
	@$(BIN)/onebreath demo $(if $(MIC),--mic) $(if $(KEEP),--keep)

test: setup-tests ## Run every test: the fast ones first, then real recognisers, then the virtual room
	@$(BIN)/pytest -q -m "not speech and not room and not hard"
	@$(BIN)/pytest -q -m "hard and not room"
	@$(BIN)/pytest -q -m "speech and not room and not hard"
	@$(BIN)/pytest -q -m "room"

test-fast: setup ## Run the fast tests only
	@$(BIN)/pytest -q -x -m "not speech and not room and not hard"

check: setup ## Lint, format, types, architecture
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/pytest -q tests/test_architecture.py tests/test_packaging.py

format: setup ## Format the code
	@$(BIN)/ruff check --fix --select I . && $(BIN)/ruff format .

lock: setup ## Pin every package anew
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile pyproject.toml --universal --all-extras --generate-hashes --python-version 3.11 \
	  --no-emit-index-url --no-header --quiet --upgrade -o requirements.lock
	@sed -i '1i # Every package of every extra, pinned by hash, for all platforms and Python >= 3.11. Made by `make lock`.' requirements.lock

SPEECH ?= ../shared/speech
bench: setup ## Measure hearing and cost on recordings of people, with a plot (SPEECH=folder)
	@$(BIN)/python bench/hearing.py $(SPEECH) --plot build/hearing

clean: ## Remove the virtual environment and caches
	rm -rf .venv node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis
