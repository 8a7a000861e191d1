# Needs Python 3.10 to 3.14, make and git. Everything else is installed into .venv.
PYTHON ?= python3
AIRFLOWS ?= 2.11 3.0 3.1 3.2
WORKERS ?= 2
WORLDS ?= 5000
KILLS ?= 200
PYTEST_ARGS ?=
BENCH_ARGS ?=
AUDIT_ARGS ?=

VENV_PYTHON := .venv/bin/python
EXTRAS := --extra amazon --extra postgres --extra mysql --extra sqlite --extra duckdb --extra parquet --extra openlineage

# Compiles the checkout once: where Python writes no bytecode, each process of Airflow would do it again.
COMPILE := $(VENV_PYTHON) -m compileall -q airflow_provider_voiso demo example_dags tests

# uv trusts its own certificates only; those of the system also work behind a company's proxy.
export UV_SYSTEM_CERTS ?= true
export PIP_DISABLE_PIP_VERSION_CHECK ?= 1

.DEFAULT_GOAL := help
.PHONY: help env demo pictures test test-airflow prove faults kills soak bench celery lowest audit lint format docs site dist \
	dist-check matrix requirements clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s%s\n", $$1, $$2 }' Makefile

# With bytecode: where Python writes none (PYTHONDONTWRITEBYTECODE), each process of Airflow would compile for seconds.
env: .venv/ready ## make .venv with the pinned tools and Airflow (the other commands do it by themselves)

.venv/ready: requirements-dev.txt requirements-overrides.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 14))' || \
		{ echo "Python 3.10 to 3.14 is needed: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; }
	$(VENV_PYTHON) -c '' 2>/dev/null || $(PYTHON) -m venv --clear .venv
	$(VENV_PYTHON) -m pip install --quiet "$$(grep '^uv==' requirements-dev.txt)"
	$(VENV_PYTHON) -m uv pip install --quiet --compile-bytecode --python $(VENV_PYTHON) --override requirements-overrides.txt \
		-r requirements-dev.txt -e .
	@touch $@

demo: .venv/ready ## backfill seven days from a simulated Voiso to S3 and SQL with a real Airflow
	@$(VENV_PYTHON) -m demo

celery: .venv/ready ## backfill a month of days on two Celery workers and compare (needs redis-server)
	@$(VENV_PYTHON) -m demo.two_workers

pictures: .venv/ready ## take the pictures of the documentation from a running Airflow (needs chromium)
	$(VENV_PYTHON) -m tests.browser.pictures

test: .venv/ready ## run all tests against real servers, but those of test-airflow
	@$(COMPILE)
	$(VENV_PYTHON) -m pytest -n $(WORKERS) -m "not whole_airflow" $(PYTEST_ARGS)

# They take longer than all others together.
test-airflow: .venv/ready ## run the tests that need the processes of an Airflow, and a browser
	@$(COMPILE)
	$(VENV_PYTHON) -m pytest -n $(WORKERS) -m whole_airflow $(PYTEST_ARGS)

prove: .venv/ready ## read windows from thousands of differently behaving APIs (make prove WORLDS=10000)
	WORLDS=$(WORLDS) $(VENV_PYTHON) -m pytest tests/api/test_walk.py --durations=5

faults: .venv/ready ## try every fault of the API at every position for every destination
	ALL_FAULTS=1 $(VENV_PYTHON) -m pytest tests/faults --durations=5

kills: .venv/ready ## kill exports at random moments and write what came of it to docs/kills.md (make kills KILLS=20)
	$(VENV_PYTHON) -m tests.kills --kills $(KILLS) --write

soak: .venv/ready ## 32 exports at once against a limited API, and a backfill of 600,000 records; writes docs/soak.md
	$(VENV_PYTHON) -m tests.soak --write

bench: .venv/ready .venv-bench/ready ## measure floors, peers and this package in turn (BENCH_ARGS="--only s3 --rounds 5")
	@$(VENV_PYTHON) -m benchmarks.run $(BENCH_ARGS)

.venv-bench/ready: benchmarks/requirements.txt | .venv/ready
	$(VENV_PYTHON) -m uv venv --quiet --clear --python $(VENV_PYTHON) .venv-bench
	$(VENV_PYTHON) -m uv pip install --quiet --python .venv-bench/bin/python -r benchmarks/requirements.txt
	@touch $@

lint: .venv/ready ## ruff, mypy, the contracts between the rooms, and zizmor for the workflows
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m mypy
	.venv/bin/lint-imports --no-cache --no-logo
	.venv/bin/zizmor --offline --no-progress --quiet .github

format: .venv/ready ## let ruff put the code in shape
	$(VENV_PYTHON) -m ruff check --fix .
	$(VENV_PYTHON) -m ruff format .

docs: .venv/ready ## write what docs/ shows of the tests and the code: windows, failures, columns, fields, architecture
	$(VENV_PYTHON) -m tests.run.windows_table
	$(VENV_PYTHON) -m tests.faults.failures_table
	$(VENV_PYTHON) -m tests.destinations.columns_table
	$(VENV_PYTHON) -m tests.docs.tables
	$(VENV_PYTHON) -m tests.docs.windows_drawing
	$(VENV_PYTHON) -m tests.architecture

site: .venv/ready ## build the documentation into build/site, offline; a warning fails it
	$(VENV_PYTHON) -m sphinx --quiet --fresh-env --write-all --fail-on-warning --keep-going docs build/site

dist: .venv/ready ## build and check what is published: sdist and wheel into dist/
	rm -rf dist
	$(VENV_PYTHON) -m build --installer uv
	$(VENV_PYTHON) -m twine check --strict dist/*
	.venv/bin/check-wheel-contents dist

dist-check: dist ## install the wheel into empty environments, for two Airflows and each extra (CHECK_EXTRAS="none all")
	.ci/install-checks $(CHECK_EXTRAS)

matrix: .venv/ready ## run the suite on the older Airflows too: make matrix AIRFLOWS="2.11 3.0"
	.ci/matrix $(AIRFLOWS)

lowest: .venv/ready ## run the unit tests with the lowest allowed versions (Airflow 2.11.0, the oldest Python found)
	.ci/lowest

audit: .venv/ready ## look the pinned packages up among known vulnerabilities (AUDIT_ARGS="-s osv" for another service)
	$(VENV_PYTHON) -m uv tool run --quiet pip-audit --strict --no-deps --disable-pip --progress-spinner off \
		-r requirements-dev.txt $(AUDIT_ARGS)

requirements: .venv/ready ## pin the newest versions again
	$(VENV_PYTHON) -m uv pip compile --quiet --upgrade --universal --python-version 3.10 --no-annotate \
		--override requirements-overrides.txt --custom-compile-command "make requirements" \
		$(EXTRAS) pyproject.toml requirements-dev.in -o requirements-dev.txt
	$(VENV_PYTHON) -m uv pip compile --quiet --upgrade --universal --python-version 3.10 --no-annotate \
		--custom-compile-command "make requirements" benchmarks/requirements.in -o benchmarks/requirements.txt

clean: ## remove what the other commands made
	rm -rf .venv .venv-* .bench .demo .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
