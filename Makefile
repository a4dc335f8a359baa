# Everything sets itself up: a bare clone, Python >= 3.11 and git are enough.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.DEFAULT_GOAL := install
.PHONY: install compiled demo test check bench screenshots schema clean

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("Barista needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.11") if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(BIN)/python pyproject.toml server/pyproject.toml constraints.txt
	@echo "Setting up $(VENV): PyTorch is in it, so this takes a minute or two, once ..."
	$(PIP) --editable './server[engine]' --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	$(PIP) --editable './server[engine]' --editable '.[dev]'
	@touch $@

# Once, not at each start, also where PYTHONDONTWRITEBYTECODE is set.
compiled: $(VENV)/.run
	@$(BIN)/python -m compileall -q barista_tui server/barista_server server/barista_engine

install: compiled
	@echo "Ready: $(BIN)/barista is the screen, $(BIN)/barista --help lists the verbs."

demo: compiled
	@$(BIN)/barista demo

# Four at a time, also on two cores: most tests wait for processes they have started. Of these there are
# hundreds, so bytecode is kept whatever the environment says.
test: export PYTHONDONTWRITEBYTECODE =
test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 4 --dist loadfile $(ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev compiled
	$(BIN)/python -m benchmarks $(ARGS)

screenshots: $(VENV)/.dev compiled
	$(BIN)/python -m screenshots $(ARGS)

schema: $(VENV)/.dev
	cd server && ../$(BIN)/python -m grpc_tools.protoc -I. --python_out=. \
	  --plugin=protoc-gen-mypy=../$(BIN)/protoc-gen-mypy --mypy_out=. barista_server/caffe/caffe.proto

clean:
	rm -rf $(VENV) .demo build dist
