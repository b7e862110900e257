.PHONY: help serve test lint check fuller lock schemas rules screenshots chaos soak fuzz bench bench-peers bench-build bench-update bench-serve bench-fronts

SIZES ?= 1000 10000

help:  ## What there is to make
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

serve:  ## Run the example publication (the run line of the README)
	python3 -m venv .venv && .venv/bin/pip install -q -r requirements.txt && .venv/bin/python server.py

test:  ## Run the tests (the test line of the README)
	python3 -m venv .venv && .venv/bin/pip install -q -r requirements-test.txt && .venv/bin/python -m pytest

lint:  ## Format, lint, types
	python3 -m venv .venv && .venv/bin/pip install -q -r requirements-test.txt
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	.venv/bin/mypy

check: lint  ## The same, and the tests
	.venv/bin/python -m pytest

fuller:  ## Tests that take longer, or other people's programs (skipped where not installed)
	.venv/bin/python -m pytest -m "fuller and not chaos"

lock:  ## Write both lists of hashed requirements anew; needs uv
	uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -o requirements.txt pyproject.toml
	uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra test -o requirements-test.txt pyproject.toml

schemas:  ## Write schemas/ anew, after a change of what authors may write or of the time zones
	.venv/bin/python -m feeds schema front-matter > schemas/front-matter.json
	.venv/bin/python -m feeds schema publication > schemas/publication.json

rules:  ## Write the reference of all rules of `check`, docs/reference/rules.md
	.venv/bin/python -m feeds.rules.reference

screenshots:  ## Pictures of each kind of page into INTO (screenshots/); needs Chromium and `npm ci` in tests/browser
	.venv/bin/python -m tests.browsing $(or $(INTO),screenshots)

chaos:  ## Kill, fill, cut off and flood it (as root it also mounts small disks); an hour
	CHAOS_RESULTS=$(or $(CHAOS_RESULTS),chaos.jsonl) .venv/bin/python -m pytest -n 0 -m chaos tests/chaos tests/test_outages.py tests/test_fronts.py

soak:  ## A month in minutes, with a plot of memory
	.venv/bin/python -m tests.soak --into docs

fuzz:  ## Fuzz every target for SECONDS each, in an environment of its own
	python3 -m venv .venv-fuzz && .venv-fuzz/bin/pip install -q -r requirements-test.txt
	.venv-fuzz/bin/pip install -q atheris==3.0.0
	.venv-fuzz/bin/python -m fuzz --seconds $(or $(SECONDS),60)

bench-peers:  ## Install what the benchmarks compare with (Debian)
	sh benchmarks/peers.sh

bench-build:  ## Cold builds against Hugo, Django and Pelican; SIZES="1000 10000 100000" for more
	.venv/bin/python -m benchmarks.build $(SIZES)

bench-update:  ## From save to served, restarts, memory
	.venv/bin/python -m benchmarks.update $(SIZES)

bench-serve:  ## Requests a busy core against nginx and Caddy
	.venv/bin/python -m benchmarks.serve

bench-fronts:  ## Polls that one machine carries, alone and behind each front
	.venv/bin/python -m benchmarks.fronts

bench: bench-build bench-update bench-serve bench-fronts  ## All of them, into docs/performance.md
	.venv/bin/python -m benchmarks.wire
	.venv/bin/python -m benchmarks.report
