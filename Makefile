# Everything is made under build/ (and frontend/node_modules), from what the package registries give; stamp files say what is done.
# Needs Python >= 3.11 with venv, and for the tests Node >= 20 and Chromium (installed from Debian's packages where that is possible).

PYTHON ?= python3
PORT ?=

BUILD := build
VENV := $(BUILD)/venv
FIXTURES := $(BUILD)/fixtures
PLUGIN_PYTHON := $(VENV)/plugin/bin/python
FIXTURE_WRITERS := $(wildcard tests/fixtures/write_*.py)
PYTHON_SOURCES := tb_embfactor tests demo_logs setup.py $(wildcard benchmarks)
FRAMEWORKS := tensorflow keras tf_keras torch transformers gensim onnx
PACKAGES := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tb_embfactor/packages
INSTALL := -m pip install --quiet --disable-pip-version-check

export KERAS_HOME := $(abspath $(BUILD))/keras

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo demo_logs test test-python test-frontend test-browser lint format fuzz bundle docs pictures bench verdicts clean chromium packages

help:  ## print this list
	@awk -F ':.*## ' '/^[a-z_-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ---- for users

demo: $(VENV)/demo/.stamp  ## show the demo runs in TensorBoard; make demo PORT=6007 chooses the port
	@exec $(VENV)/demo/bin/tb-embfactor demo $(if $(PORT),--port $(PORT))

demo_logs: $(VENV)/demo_logs/.stamp  ## train the demo runs anew; CHINESE_REVIEWS=FILE for the Chinese one (see demo_logs/README.md)
	$(VENV)/demo_logs/bin/python demo_logs/train.py $(if $(CHINESE_REVIEWS),--chinese-reviews '$(CHINESE_REVIEWS)')

# ---- tests

test: lint test-python test-frontend test-browser  ## run all checks and tests

lint: $(VENV)/plugin/.stamp  ## ruff and mypy
	$(VENV)/plugin/bin/ruff check $(PYTHON_SOURCES)
	$(VENV)/plugin/bin/ruff format --check $(PYTHON_SOURCES)
	$(VENV)/plugin/bin/mypy --cache-dir $(BUILD)/mypy

format: $(VENV)/plugin/.stamp  ## let ruff sort imports and lay out the Python code
	$(VENV)/plugin/bin/ruff check --fix $(PYTHON_SOURCES)
	$(VENV)/plugin/bin/ruff format $(PYTHON_SOURCES)

test-python: $(VENV)/plugin/.stamp $(FIXTURES)/.stamp packages  ## pytest, in an environment without TensorFlow, Keras or torch
	@$(PLUGIN_PYTHON) -c 'import sys, importlib.util as u; sys.exit(any(map(u.find_spec, sys.argv[1:])))' $(FRAMEWORKS) || \
	    { echo "$(VENV)/plugin holds one of $(FRAMEWORKS), so it cannot show that the plugin needs none. Remove it." >&2; exit 1; }
	EMBFACTOR_FIXTURES=$(FIXTURES) EMBFACTOR_PACKAGES=$(PACKAGES) $(PLUGIN_PYTHON) -m pytest -o cache_dir=$(BUILD)/pytest $(PYTEST_ARGUMENTS)

fuzz: $(VENV)/plugin/.stamp $(FIXTURES)/.stamp  ## damage a file of every format in MUTATIONS=2000 ways and read it; SEED=1
	EMBFACTOR_FIXTURES=$(FIXTURES) PYTHONPATH=. nice $(PLUGIN_PYTHON) -m tests.formats.fuzz $(or $(MUTATIONS),2000) $(or $(SEED),1)

test-frontend: frontend/node_modules/.package-lock.json  ## type check, unit tests, and is the committed bundle that of the sources?
	cd frontend && npm run --silent check && npm test --silent
	rm -rf $(BUILD)/static && cd frontend && npm run --silent build -- --out ../$(BUILD)/static
	@diff -rq $(BUILD)/static tb_embfactor/static || \
	    { echo "tb_embfactor/static is not what frontend/ builds. Run 'make bundle' and commit the result." >&2; exit 1; }

test-browser: $(VENV)/plugin/.stamp frontend/node_modules/.package-lock.json chromium  ## the tab in Chromium, on a real TensorBoard
	$(PLUGIN_PYTHON) tests/e2e/run.py npm --prefix frontend run --silent e2e

bundle: frontend/node_modules/.package-lock.json  ## build frontend/ into tb_embfactor/static
	cd frontend && npm run --silent build

pictures: $(VENV)/plugin/.stamp  ## draw the regression pictures of tests/pictures anew
	PYTHONPATH=. $(PLUGIN_PYTHON) tests/pictures.py demo_logs

docs: $(VENV)/plugin/.stamp  ## write docs/numbers.md from the tables in the code
	$(PLUGIN_PYTHON) -m tb_embfactor.analysis.numbers.page >$(BUILD)/numbers.md && mv $(BUILD)/numbers.md docs/numbers.md

bench: $(VENV)/plugin/.stamp $(VENV)/frameworks/.stamp packages  ## measure beside others; writes benchmarks/RESULTS.md
	$(PLUGIN_PYTHON) -m benchmarks.run $(PACKAGES) $(VENV)/frameworks/bin/python
	$(PLUGIN_PYTHON) benchmarks/series.py

verdicts: $(VENV)/verdicts/.stamp  ## measure how often verdicts are wrong on the initialisers of the frameworks (half an hour)
	OMP_NUM_THREADS=1 $(VENV)/verdicts/bin/python benchmarks/verdicts.py docs/verdicts.svg

clean:  ## remove everything that was made
	rm -rf $(BUILD) frontend/node_modules *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find $(PYTHON_SOURCES) -name __pycache__ -prune -exec rm -rf {} +

# ---- environments

define create_venv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Python 3.11 or newer is needed; $(PYTHON) is older or missing. Try: make PYTHON=python3.12" >&2; exit 1; }
	rm -rf $(@D)
	@mkdir -p $(BUILD)
	$(PYTHON) -m venv $(@D)
endef

define create_venv_with_frameworks
	$(create_venv)
	@directory=$$($(@D)/bin/python -c 'import site; print(*site.getsitepackages())'); \
	    $(VENV)/frameworks/bin/python -c 'import site; print(*site.getsitepackages())' > "$$directory/frameworks.pth"
endef

$(VENV)/demo/.stamp: setup.py pyproject.toml
	$(create_venv)
	$(@D)/bin/python $(INSTALL) --editable .
	@touch $@

$(VENV)/demo_logs/.stamp: setup.py pyproject.toml
	$(create_venv)
	$(@D)/bin/python $(INSTALL) --editable . 'tensorflow-cpu>=2.21' jieba==0.42.1
	@touch $@

$(VENV)/plugin/.stamp: setup.py pyproject.toml
	$(create_venv)
	$(@D)/bin/python $(INSTALL) --editable '.[test]'
	@touch $@

$(VENV)/frameworks/.stamp: tests/fixtures/requirements.txt
	$(create_venv)
	$(@D)/bin/python $(INSTALL) --requirement $<
	@touch $@

# The frameworks, and TensorBoard beside them, as whoever follows a recipe has it.
$(VENV)/recipes/.stamp: $(VENV)/frameworks/.stamp
	$(create_venv_with_frameworks)
	$(@D)/bin/python $(INSTALL) 'tensorboard>=2.21'
	@touch $@

$(VENV)/verdicts/.stamp: $(VENV)/frameworks/.stamp setup.py pyproject.toml
	$(create_venv_with_frameworks)
	$(@D)/bin/python $(INSTALL) --editable .
	@touch $@

# Files written by the real frameworks; each script writes below the directory that it is given.
$(FIXTURES)/.stamp: $(wildcard tests/fixtures/*.py) docs/recipes.md $(VENV)/frameworks/.stamp $(VENV)/recipes/.stamp
	rm -rf $(@D) && mkdir -p $(@D)
	@for script in $(FIXTURE_WRITERS); do echo "$$script" && $(VENV)/frameworks/bin/python "$$script" $(@D) || exit 1; done
	$(VENV)/recipes/bin/python tests/fixtures/run_recipes.py $(@D)
	@touch $@

packages: $(VENV)/plugin/.stamp
	@$(PLUGIN_PYTHON) tests/packages.py $(PACKAGES)

frontend/node_modules/.package-lock.json: frontend/package-lock.json
	@node -e 'process.exit(process.versions.node.split(".")[0] >= 20 ? 0 : 1)' || \
	    { echo "Node.js 20 or newer is needed." >&2; exit 1; }
	cd frontend && npm ci --no-audit --no-fund
	@touch $@

chromium:
	@for browser in "$$CHROMIUM" chromium chromium-browser google-chrome google-chrome-stable; do \
	    if [ -n "$$browser" ] && command -v "$$browser" >/dev/null; then exit 0; fi; \
	done; \
	if [ "$$(id -u)" = 0 ]; then sudo=; elif sudo -n true 2>/dev/null; then sudo=sudo; else \
	    echo "The browser tests need Chromium. Install it (Debian: apt-get install chromium) and run again." >&2; exit 1; fi; \
	$$sudo apt-get update -qq && $$sudo apt-get install -y -qq --no-install-recommends chromium fonts-liberation
