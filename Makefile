# Targets for people. `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
AIRFLOW_ARGS ?=
DEMO_ARGS ?=
WAREHOUSE ?= duckdb
SOURCE ?= sqlite
SOAK ?= 1000
ifndef SEED
SEED := $(shell date +%s)
endif

.DEFAULT_GOAL := help
.PHONY: help airflow demo emulator test thorough soak env lint types imports format lock bench clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

airflow: $(VENV)/.env ## Airflow on 127.0.0.1 with a generated world as its source, until Ctrl-C
	$(BIN)/python scripts/airflow_local.py $(AIRFLOW_ARGS)

# SOURCE=mssql and WAREHOUSE=bigquery take the databases that ETL_SOURCE_URL and ETL_WAREHOUSE_URL name, or else the
# compose file's SQL Server and an emulator that lasts as long as the demo, unless BIGQUERY_EMULATOR_HOST names one.
DEMO_NEEDS := $(if $(filter duckdb-sqlite,$(WAREHOUSE)-$(SOURCE)),$(VENV)/.demo,$(VENV)/.env)
ifeq ($(WAREHOUSE),bigquery)
override DEMO_ARGS += --warehouse "$(or $(ETL_WAREHOUSE_URL),bigquery://local/demo)"
DEMO_BESIDE := $(if $(ETL_WAREHOUSE_URL)$(BIGQUERY_EMULATOR_HOST),,$(BIN)/python scripts/bigquery_emulator.py run)
endif
ifneq ($(SOURCE),sqlite)
override DEMO_ARGS += --source "$(or $(ETL_SOURCE_URL),mssql://sa@127.0.0.1:1433/shop)"
endif

demo: $(DEMO_NEEDS) ## generate a world, copy it, change it, copy the change, prove both equal; SOURCE=mssql WAREHOUSE=bigquery
	$(DEMO_BESIDE) $(BIN)/etl demo $(DEMO_ARGS)

emulator: $(UV) ## a BigQuery emulator on 127.0.0.1:9050, its tables in data/emulator, until Ctrl-C
	$(BIN)/python scripts/bigquery_emulator.py serve --port 9050 --grpc-port 9060 --data-dir data/emulator

env: $(VENV)/.env ## make .venv with everything in it

test: $(VENV)/.env ## run the suite
	$(BIN)/pytest -n 2 --dist worksteal

thorough: $(VENV)/.env ## what the suite leaves out for its time: all that runs on the BigQuery emulator, Airflow as processes
	$(BIN)/pytest -n 2 --dist worksteal -m thorough

soak: $(VENV)/.env ## random histories of changes and syncs against a model: SOAK=n for each source, SEED=n to repeat
	@echo "to repeat this: make soak SOAK=$(SOAK) SEED=$(SEED)"
	ETL_SOAK=$(SOAK) $(BIN)/pytest -n 2 --hypothesis-seed=$(SEED) tests/properties/test_histories.py

lint: $(VENV)/.env ## ruff, mypy, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.env ## rewrite the code in the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(UV) ## resolve the dependencies anew into requirements/
	$(UV) pip compile pyproject.toml --universal --python-version 3.11 --all-extras --group build --group dev \
	  --generate-hashes --no-emit-index-url --custom-compile-command "make lock" --upgrade -q -o requirements/all.txt
	$(UV) pip compile pyproject.toml --universal --python-version 3.11 --group build -c requirements/all.txt \
	  --generate-hashes --no-emit-index-url --custom-compile-command "make lock" -q -o requirements/demo.txt
	$(UV) pip compile requirements/emulator.in --override requirements/emulator-overrides.in --universal \
	  --python-version 3.13 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" -q \
	  -o requirements/emulator.txt

clean: ## remove the environment and everything generated
	rm -rf $(VENV) .emulator data .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# uv itself is installed by pip, pinned by hash like everything else.
$(UV): requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

# Both locks agree on every version, so either may be installed over the other.
$(VENV)/.demo: requirements/demo.txt pyproject.toml | $(UV)
	@test -e $(VENV)/.env || VIRTUAL_ENV=$(VENV) $(UV) pip install -q --require-hashes -r requirements/demo.txt
	VIRTUAL_ENV=$(VENV) $(UV) pip install -q --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.env: requirements/all.txt pyproject.toml | $(UV)
	VIRTUAL_ENV=$(VENV) $(UV) pip install -q --require-hashes -r requirements/all.txt
	VIRTUAL_ENV=$(VENV) $(UV) pip install -q --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.demo
