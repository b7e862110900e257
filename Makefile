.PHONY: help serve test check lock

help:  ## What there is to make
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

serve:  ## Run the example publication (the run line of the README)
	python3 -m venv .venv && .venv/bin/pip install -q -r requirements.txt && .venv/bin/python server.py

test:  ## Run the tests (the test line of the README)
	python3 -m venv .venv && .venv/bin/pip install -q -r requirements-test.txt && .venv/bin/python -m pytest

check:  ## Format, lint, types, tests
	python3 -m venv .venv && .venv/bin/pip install -q -r requirements-test.txt
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	.venv/bin/mypy
	.venv/bin/python -m pytest

lock:  ## Write both lists of hashed requirements anew; needs uv
	uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -o requirements.txt pyproject.toml
	uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra test -o requirements-test.txt pyproject.toml
