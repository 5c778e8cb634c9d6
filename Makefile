# The tasks of the project. `make run` and `make test` do all the set-up themselves.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/pip --disable-pip-version-check --quiet
TESTS  ?=
WORKERS ?= 2
SEEDS  ?= 300
# Tests start many processes: none of them compiles Martello anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run test test-packets test-cluster test-noise test-access test-admission test-blast test-sizing test-faults check corpus bench docs golden lock wheel clean

help: ## list the tasks
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | expand -t 16

run: $(VENV)/run ## install into .venv and scan the bundled demo cluster
	@$(BIN)/martello demo

test: $(VENV)/dev ## run the default tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(TESTS)

test-packets: $(VENV)/dev ## compare analyser, oracle and real packets on SEEDS random clusters (as root)
	SEEDS=$(SEEDS) $(BIN)/python -m pytest -q tests/acceptance/test_packets.py

test-cluster: $(VENV)/dev ## networks, monitor and resources on whole clusters with running pods (as root; MARTELLO_CLUSTER)
	MARTELLO_CLUSTER=$${MARTELLO_CLUSTER:-../shared/k8s/cluster} $(BIN)/python -m pytest -q tests/acceptance/test_real_network.py tests/acceptance/test_real_sensor.py \
	  tests/acceptance/test_real_monitor.py tests/acceptance/test_real_anomalies.py tests/acceptance/test_real_resources.py

test-noise: $(VENV)/dev ## count what is told of MINUTES of ordinary work on a whole cluster (as root; MARTELLO_CLUSTER)
	MINUTES=$(or $(MINUTES),60) MARTELLO_CLUSTER=$${MARTELLO_CLUSTER:-../shared/k8s/cluster} $(BIN)/python -m pytest -q tests/acceptance/test_real_noise.py

test-access: $(VENV)/dev ## compare access with a real API server on WORLDS random worlds
	WORLDS=$(or $(WORLDS),500) $(BIN)/python -m pytest -q tests/practices/access/test_differential.py

test-admission: $(VENV)/dev ## compare admission with a real API server and controller manager on WORLDS random worlds
	WORLDS=$(or $(WORLDS),300) $(BIN)/python -m pytest -q -s tests/practices/resources/admission/test_differential.py

test-blast: $(VENV)/dev ## play ROUNDS random attacks against what the blast radius says
	ROUNDS=$(or $(ROUNDS),12000) $(BIN)/python -m pytest -q tests/practices/resources/blast/test_simulated.py tests/practices/resources/node/test_slices.py

test-sizing: $(VENV)/dev ## try advice beside peers' rules on SEEDS series of each family
	SEEDS=$(SEEDS) $(BIN)/python -m pytest -q -s tests/practices/resources/sizing/test_families.py

test-faults: $(VENV)/dev ## kill the store's writer and the daemon ROUNDS times, and fill disks (as root)
	ROUNDS=$(or $(ROUNDS),50) $(BIN)/python -m pytest -q tests/store/test_faults.py tests/cli/monitor/test_daemon_faults.py

check: $(VENV)/dev ## format, lint, types, import layers, generated pages
	$(BIN)/ruff format --check --quiet src tests bench tools
	$(BIN)/ruff check --quiet src tests bench tools
	$(BIN)/mypy --no-error-summary
	$(BIN)/lint-imports --no-logo 2>&1 | tail -n 3
	$(BIN)/python tools/make_docs.py --check

corpus: $(VENV)/dev ## replay other projects' tests found under MARTELLO_CORPORA (ONLY=NAME)
	$(BIN)/python -m tests.corpus

bench: $(VENV)/dev ## measure against peers in the same run
	$(BIN)/python -m bench

docs: $(VENV)/dev ## write the generated pages
	$(BIN)/python tools/make_docs.py

golden: $(VENV)/dev ## rewrite the golden files; judge the difference before it is committed
	MARTELLO_GOLDEN=write $(BIN)/python -m pytest -q -k golden

wheel: $(VENV)/dev ## build the wheel into dist/
	$(BIN)/python -m hatchling build -t wheel

lock: ## resolve the requirements anew, hashed and without addresses
	for set in base:../pyproject.toml build:build.in bench:bench.in "dev:../pyproject.toml dev.in"; do \
	  (cd requirements && uv --quiet pip compile --universal --python-version 3.11 --generate-hashes --upgrade \
	    --no-emit-index-url --no-emit-find-links --no-header --no-annotate $${set#*:} -o $${set%%:*}.txt); \
	done

clean: ## remove what the tasks made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/run: pyproject.toml requirements/base.txt requirements/build.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --require-hashes -r requirements/base.txt -r requirements/build.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev: $(VENV)/run requirements/dev.txt
	$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@
