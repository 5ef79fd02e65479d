# What a developer runs. Each target installs what it needs in .venv first; `make serve`
# installs no tools of developers.
#
#   PYTHON=python3.12   the interpreter that the environment is made with
#   VENV=path           an environment that is ready: used as it is, nothing is installed
#   PORT=8081           where `make serve` listens
#   TIMES=10            how often `make test-busy` runs the tests
#   DEPTH=20            how much more input `make deep` makes up
#   ROW=name            the row of the benchmarks that `make bench` runs; all without it
#   ORDER=7             runs the tests of each file in the random order of that number
#   ARGS="-k push"      more arguments for pytest

PYTHON ?= python3
PORT ?= 8080
TIMES ?= 10
DEPTH ?= 20
DEMO ?= demo/jobtypes.git

ifeq ($(origin VENV),undefined)
VENV := .venv
BROWSER_READY := $(VENV)/.browser-installed
SERVE_READY := $(VENV)/.serve-installed
READY := $(VENV)/.installed
BENCH_READY := $(VENV)/.bench-installed
endif
BIN := $(VENV)/bin
# Each processor keeps to the tests of a file as long as it can: they share services.
PYTEST = $(BIN)/python -m pytest -n auto --dist worksteal

export TEST_ORDER := $(ORDER)

# Without compiled files, collecting the tests takes longer than running half of them.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help serve test farm browser pictures test-busy deep large check bench torture

help: ## list the targets
	@sed -n 's|^\([a-z-]*\):.*## |make \1\t|p' Makefile | expand -t 17

serve: $(SERVE_READY) $(DEMO) ## serve a demo repository, made from sample_repo, on loopback
	$(BIN)/jobtypes serve --repo $(DEMO) --host 127.0.0.1 --port $(PORT)

test: $(READY) ## run the tests, on all cores
	$(PYTEST) $(ARGS)

test-busy: $(READY) ## run the tests with four busy loops running, TIMES times in a row
	sh tests/busy.sh $(TIMES) $(PYTEST) $(ARGS)

deep: $(READY) ## run the tests that make their input up, with DEPTH times as much of it
	TEST_DEPTH=$(DEPTH) $(PYTEST) -m "hypothesis or deep" $(ARGS)

farm: $(READY) ## run the tests that take minutes, such as those with a real PyFarm
	timeout 1200 $(PYTEST) -m farm $(ARGS)

browser: $(BROWSER_READY) ## run the tests that look at every page in a real Chromium
	timeout 900 $(BIN)/python -m pytest -m browser -n 2 --dist loadfile $(ARGS)

pictures: $(BROWSER_READY) ## take the pictures of docs/pictures again
	$(BIN)/python -m tests.pictures

large: $(READY) ## run the tests that move hundreds of megabytes
	$(BIN)/python -m pytest -m large $(ARGS)

check: $(READY) ## lint, check the format, the types and the English
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/project/test_prose.py

torture: $(READY) ## damage a service under load, count the losses; ARGS="--minutes 60" for long
	$(BIN)/python -m tests.damage.torture $(ARGS)

bench: $(BENCH_READY) ## compare with what people would use instead; needs wrk, lighttpd
	$(BIN)/python -m benchmarks $(ROW)

$(DEMO): | $(SERVE_READY)
	$(BIN)/jobtypes init $(DEMO) --sample

# Made last in a new environment, so one that was left half made is made again.
.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "$(PYTHON) is not Python 3.11 or newer, which is needed. Name one that is, for example:" >&2; \
	  echo "    make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv

INSTALL = .venv/bin/python -m pip install --quiet --disable-pip-version-check

.venv/.serve-installed: pyproject.toml | .venv/bin/pip
	$(INSTALL) -e .
	@touch $@

.venv/.installed: pyproject.toml | .venv/bin/pip
	$(INSTALL) -e '.[dev]'
	@touch $@ .venv/.serve-installed

.venv/.browser-installed: .venv/.installed
	$(INSTALL) -e '.[browser]'
	@touch $@

.venv/.bench-installed: .venv/.installed
	$(INSTALL) -e '.[bench]'
	@touch $@
