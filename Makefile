.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: help setup demo rehearse pr test lint lint-sql format revision plan freeze synth deploy destroy lock clean

# jsii warns of Node versions past their end of life. The suite runs on 20; the warning stays for the others.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/node_modules/.bin:$(PATH)

PYTHON := .venv/bin/python
CDK := node_modules/.bin/cdk
ARGS ?=
POSTGRES_VERSIONS := 15 16 17 18

help:  ## list the commands
	@if [ -t 1 ] && [ -z "$${NO_COLOR:-}" ] && [ "$${TERM:-dumb}" != dumb ]; then bold='\033[1m' plain='\033[0m'; fi; \
	awk -F ':.*## ' -v bold="$${bold:-}" -v plain="$${plain:-}" \
	  '/^[a-z-]+:.*## / { printf "  %smake %-9s%s %s\n", bold, $$1, plain, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.complete node_modules/.complete .build/postgres-17/.complete  ## install everything that the project needs into .venv and node_modules

demo: setup  ## deploy to a local AWS, migrate, write a row, destroy: KEEP=1 leaves it running, ARGS="-c alembic-project=shop"
	@$(PYTHON) -m localaws demo $(if $(KEEP),--keep) $(ARGS)

# The shell expands FROM, not make.
rehearse: setup  ## apply the revisions to an ephemeral PostgreSQL as a deployment does: ARGS="-c alembic-project=shop", FROM=revision
	@$(PYTHON) -m rds_alembic.cli rehearse $${FROM:+--from="$$FROM"} $(ARGS)

pr: FROZEN = 1
pr: lint test  ## check everything that CI checks: run it before a pull request

test: setup $(POSTGRES_VERSIONS:%=.build/postgres-%/.complete)  ## run the whole suite; ARGS="tests/unit -k lock" narrows it
	@$(PYTHON) -m pytest $(or $(ARGS),-n 4 --no-loadscope-reorder)

lint: setup  ## check format, ruff, mypy --strict, import rules, lint-sql
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@$(PYTHON) -m pytest -q tests/tools/test_import_rules.py
	@$(PYTHON) -m review lint $(if $(FROZEN),--frozen)

# The shell expands the variables, not make: a branch name cannot become a command.
lint-sql: setup  ## run and judge the revisions: SINCE=tag, FORMAT=github|json|sarif; FROZEN=1 rejects revisions that are not frozen
	@$(PYTHON) -m review lint $(if $(FROZEN),--frozen) $${SINCE:+--since="$$SINCE"} $${FORMAT:+--format="$$FORMAT"}

plan: setup  ## run the revisions since the last release tag, and show SQL, locks and findings: FROM=revision, SINCE=tag, FORMAT=markdown|json
	@$(PYTHON) -m review plan $${FROM:+--from="$$FROM"} $${SINCE:+--since="$$SINCE"} $${FORMAT:+--format="$$FORMAT"} $${TABLES:+--tables="$$TABLES"}

freeze: setup  ## record revisions without findings in migrations/versions.lock: a change of their code or files is an error afterwards
	@$(PYTHON) -m review freeze

format: setup  ## format the code and apply ruff's safe fixes
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

revision: setup  ## write the revisions for the changes of migrations/tables.py, and judge them alone: m="add a column", RENAME=old:new, PLAIN=1
	@test -n "$${m:-}" || { echo 'm must be the message of the revision (got nothing): make revision m="add a column"' >&2; exit 2; }
	@$(PYTHON) -m review revision --message "$$m" $${PLAIN:+--plain} $${RENAME:+--rename="$$RENAME"}

synth: setup  ## synthesize the CloudFormation template into cdk.out
	@$(CDK) synth --quiet $(ARGS)

deploy: setup  ## deploy to AWS, with the credentials of your shell
	@$(PYTHON) -m rds_alembic.cli follow -- $(CDK) deploy --require-approval never $(ARGS)

destroy: setup  ## remove the stack from AWS
	@$(CDK) destroy $(ARGS)

lock: .tools/.complete  ## resolve pyproject.toml and package.json into the lock files
	@tools/lock

clean:  ## remove everything that was installed or built
	@rm -rf .venv .tools .build .localaws node_modules cdk.out .pytest_cache .mypy_cache .ruff_cache

.tools/.complete: requirements/uv.txt
	@tools/setup uv

.venv/.complete: pyproject.toml requirements/dev.txt requirements/lambda-runtime.txt .tools/.complete
	@tools/setup python

node_modules/.complete: package-lock.json
	@tools/setup node

.build/postgres-%/.complete: requirements/postgres-%.txt .venv/.complete
	@tools/setup postgres $*
