# The menu of tasks; `make` alone lists them.  Each sets up what it needs (scripts/setup), which is quick when nothing is missing.
PYTEST = .venv/bin/pytest
# Two workers: what most small machines have, and what the tests that share a daemon were tried with.
WORKERS = -n 2

.DEFAULT_GOAL := help
.PHONY: help setup demo test check unit peers faults reliability fuzz bench docs clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what development needs: system packages (apt) and .venv
	@scripts/setup --test

demo: ## build and run the examples, showing the commands and the sizes
	@scripts/setup --demo
	@scripts/demo

test: check ## all checks and all tests; what CI runs
	$(PYTEST) $(WORKERS)

check: setup ## style, types and the rooms' order
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports

unit: setup ## only the tests that need no root and start no container
	$(PYTEST) $(WORKERS) tests/unit

peers: setup ## only the comparison with Docker and the other tools (as root)
	$(PYTEST) $(WORKERS) tests/peers

faults: setup ## kill builds at 300 random instants, fail 120 writes (as root); the tables go into docs/reliability.md
	KILL_ROUNDS=300 KILL_REPORT=docs/reliability.md $(PYTEST) tests/faults/test_kills.py
	DISK_ROUNDS=120 DISK_REPORT=docs/reliability.md $(PYTEST) tests/faults/test_failing_disk.py

reliability: setup ## try to break it (as root): hostile bytes, escapes, faults; the tables go into docs/reliability.md
	.venv/bin/python scripts/reliability.py

fuzz: setup ## fuzz what reads bytes from elsewhere, FUZZ_SECONDS (60) a target; the table goes there too
	.venv/bin/python -m pip install -qq --disable-pip-version-check atheris
	FUZZ_REPORT=docs/reliability.md .venv/bin/python scripts/fuzz.py

bench: setup ## measure speed and memory on this machine
	@set -e; for script in bench/[a-z]*.py; do echo "$$script"; .venv/bin/python "$$script"; done

docs: setup ## generate the command line reference
	.venv/bin/python scripts/make_cli_reference.py

clean: ## remove what the targets made in this folder (not the store, not the tests' cache)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .demo .fuzz dist build
	find src tests scripts bench -name __pycache__ -type d -prune -exec rm -rf {} +
