PAGE ?= tests/pages/letter.jpg
OUT ?= out
BIN := .venv/bin

.PHONY: read test check bench bench-compare format setup-run setup-dev clean

# Reads a page: prints its text, writes text, ALTO, JSON and an overlay PNG to $(OUT). PAGE=scan.jpg reads your own.
read: setup-run .venv/.warm
	@$(BIN)/carrel read "$(PAGE)" -o "$(OUT)" -f text -f alto -f json --overlay --force
	@$(BIN)/python -c 'import pathlib, sys; print(pathlib.Path(sys.argv[1], pathlib.Path(sys.argv[2]).stem + ".txt").read_text(encoding="utf-8"), end="")' "$(OUT)" "$(PAGE)"
	@echo "results are in $(OUT)/" >&2

# The kernels are built anew when their sources change.
.venv/.warm: $(wildcard engine/carrel/kernels/*.py) | setup-run
	@$(BIN)/carrel warm
	@touch $@

test: setup-dev
	@$(BIN)/pytest

# Every check: format, lint, types, directions between packages, names, tests.
check: setup-dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_names.py
	$(BIN)/pytest

# Side by side with other programs, each suite within 20 minutes; ARGS=--quick takes three minutes, ARGS=--resume goes on with
# a stopped run. `make bench-compare BASE=bench.jsonl` gives ratios to an
# earlier run.
bench: setup-dev
	@$(BIN)/python -m carrel_bench --json bench.jsonl --plot bench.png $(ARGS)

bench-compare: setup-dev
	@test -n "$(BASE)" || { echo "name the earlier run: make bench-compare BASE=bench.jsonl" >&2; exit 2; }
	@$(BIN)/python -m carrel_bench --compare "$(BASE)" $(ARGS)

format: setup-dev
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

setup-run:
	@scripts/setup run

setup-dev:
	@scripts/setup dev

clean:
	rm -rf .venv out .pytest_cache .ruff_cache .hypothesis .import_linter_cache
