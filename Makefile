PAGE ?= tests/pages/letter.jpg
OUT ?= out
BIN := .venv/bin
# Processes that the tests are spread over; JOBS=0 runs them in one. Not all cores: each holds a gigabyte, and has threads.
JOBS ?= 2
PYTEST := $(BIN)/pytest -n $(JOBS) --dist worksteal
# Tests start hundreds of processes: what Python compiles is kept, whatever the surroundings say.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: read test check check-js check-importers check-learn check-slow kernels wheel bundle bundle-aarch64 wheelhouse check-bundle check-newest bench bench-compare format setup-run setup-dev clean

# Reads a page: prints its text, writes text, ALTO, JSON and an overlay PNG to $(OUT). PAGE=scan.jpg reads your own.
read: setup-run
	@$(BIN)/carrel read "$(PAGE)" -o "$(OUT)" -f text -f alto -f json --overlay --force
	@$(BIN)/python -c 'import pathlib, sys; print(pathlib.Path(sys.argv[1], pathlib.Path(sys.argv[2]).stem + ".txt").read_text(encoding="utf-8"), end="")' "$(OUT)" "$(PAGE)"
	@echo "results are in $(OUT)/" >&2

test: setup-dev
	@$(PYTEST)

# Every check: format, lint, types, directions between packages, names, tests.
check: setup-dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/pyright
	$(BIN)/lint-imports --no-cache
	$(BIN)/python scripts/check_names.py
	$(PYTEST)

# Types of the desk's scripts, by their JSDoc. Needs npm, which fetches TypeScript into build/js once.
check-js:
	@test -d build/js/node_modules/typescript || npm install --silent --no-audit --no-fund --prefix build/js typescript@5
	@node build/js/node_modules/typescript/bin/tsc -p scripts/tsconfig.json

# What Carrel writes, read by the programs of tests/importers.txt, which are fetched for this alone; docs/importers.md.
check-importers: setup-dev
	@$(BIN)/uv run --quiet --no-sync --with-requirements tests/importers.txt pytest -W ignore \
		tests/engine/test_importers.py tests/engine/test_evaluate_dinglehopper.py

# The libraries of kernels in engine/carrel/kernels/*/, from their sources: after each change of those, and committed
# with it. Needs cc and, for aarch64, aarch64-linux-gnu-gcc. ARGS=x86_64 builds one.
kernels: setup-dev
	@$(BIN)/python scripts/build_kernels.py $(ARGS)

# Wheels in dist/: carrel, with man pages and completions, and carrel-models-full; the same sources make the same bytes.
wheel: setup-dev
	@rm -rf build/share dist/*.whl
	@$(BIN)/python scripts/build_share.py build/share
	@SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-1767225600} $(BIN)/uv build -q --wheel --out-dir dist .
	@SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-1767225600} $(BIN)/uv build -q --wheel --out-dir dist models/full
	@ls -l dist/*.whl

# One folder with everything, as .tar.zst and .deb with their sums, for the kind of machine it is made on, or for aarch64;
# ZSTD_LEVEL=3 is quick, CARREL_SIGN_KEY=FILE signs the sums by ssh-keygen.
bundle: wheel
	@$(BIN)/python scripts/build_bundle.py dist/carrel-*.whl dist/carrel-$$(uname -m)

bundle-aarch64: wheel
	@$(BIN)/python scripts/build_bundle.py --machine aarch64 dist/carrel-*.whl dist/carrel-aarch64

# A folder from which packaging/install.sh installs without network, for Python 3.11 to 3.14; ARGS="--python 3.13" for one.
wheelhouse: wheel
	@$(BIN)/python scripts/build_wheelhouse.py $(ARGS) dist/carrel-*.whl dist/carrel-wheelhouse-$$(uname -m)

# Packs made for this, packed in a hurry, and tried without network, in a small Debian, and for aarch64 emulated; says so
# where the machine cannot (needs root, debootstrap and package mirrors). ARGS=--must fails there, ARGS=--whole-letter reads
# the letter emulated, too, and PACKS=dist tries those of make bundle and make bundle-aarch64.
PACKS ?= --wheel dist/carrel-*.whl
check-bundle: wheel
	@$(BIN)/python scripts/check_bundle.py $(PACKS) $(ARGS)

# The wheel with the newest packages of the index instead of the locked ones, on the oldest and the newest Python.
check-newest: wheel
	@$(BIN)/python scripts/check_newest.py dist/carrel-*.whl $(ARGS)

# Training, export and learning, with torch, which is fetched for this: a gigabyte, and minutes.
check-learn: setup-dev
	@$(BIN)/uv sync --quiet --frozen --inexact --group=dev --extra export
	@$(BIN)/pytest tests/export

# Hours: 1,000 kills of workers, 20,000 damaged files, 1,000 forms, machines of a fleet that are killed, on one host and (as
# root) in namespaces of their own, a Dask cluster that is struck, 200 pages at the desk, typing there beside a large page, and a hot folder under every blow,
# three seeds; SOAK_MINUTES=5 for a short one.
SOAK_MINUTES ?= 120
check-slow: setup-dev
	CARREL_KILLS=1000 $(BIN)/pytest tests/engine/test_batch_run.py -k random_kills
	CARREL_BAD_FILES=20000 $(BIN)/pytest tests/engine/test_batch_bad_files.py
	PYTHONPATH=tests $(BIN)/python tests/thousand_forms.py
	PYTHONPATH=tests $(BIN)/python tests/soak_fleet.py
	[ "$$(id -u)" != 0 ] || PYTHONPATH=tests $(BIN)/python tests/soak_fleet.py --apart
	$(BIN)/uv sync --quiet --frozen --inexact --group=dev --extra fleet
	PYTHONPATH=tests $(BIN)/python tests/soak_cluster.py
	PYTHONPATH=tests $(BIN)/python tests/soak_desk.py --pages 200
	PYTHONPATH=tests $(BIN)/python tests/typing_at_desk.py
	for seed in 1 2 3; do PYTHONPATH=tests $(BIN)/python tests/soak_watch.py --minutes $(SOAK_MINUTES) --seed $$seed || exit 1; done

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
	rm -rf .venv out build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
