# What a contributor runs. `make test` is what CI runs; `make demo` shows graphc at work. Both set up what they need.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
READY := $(VENV)/.ready

.PHONY: setup test test-all lint typecheck pytest demo bench clean

setup: $(READY)

# An editable install: new files and folders are seen at once, so only pyproject.toml is a reason to repeat it. Its
# bytecode is written here, because where Python is told to write none, each process compiles all modules anew.
$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "make: Python 3.11 or later with venv and ensurepip is needed; set PYTHON=" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@$(BIN)/python -m compileall -q graphc passes runtime
	@touch $@

test: setup lint typecheck pytest

test-all: setup lint typecheck
	$(BIN)/python -m pytest --slow=all -n auto --dist worksteal

lint: setup
	$(BIN)/ruff check .

# An installed copy, as mypy cannot follow the folders that pyproject.toml maps. Old build output would be in it too.
typecheck: setup
	@rm -rf build/lib build/bdist.* build/typecheck
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --target build/typecheck .
	MYPYPATH=build/typecheck $(BIN)/mypy -p graphc

pytest: setup
	$(BIN)/python -m pytest -n auto --dist worksteal

demo: setup
	$(BIN)/graphc train lenet --mode graph --epochs 5 --save-graphs ir

bench: setup
	$(BIN)/graphc bench

clean:
	rm -rf build dist ir *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
