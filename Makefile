# make dev        play the shipped study in your browser          make check   format, lint, types
# make test       everything quick, with a browser                make bench   what is fast, beside a reference
# make test-long  thousands of kills, soaks, the full fuzz

PYTHON ?= python3
BIN = .venv/bin

.PHONY: dev test test-long check bench screenshots clean

dev: .venv/ready
	$(BIN)/python communicator.py dev

test: .venv/dev-ready check
	$(BIN)/python scripts/find_browser.py --install
	$(BIN)/python -m pytest -m "not long" -n 2 --dist loadfile
	@if command -v node >/dev/null; then node --test tests/js/*.test.mjs; else echo "node is not here: the page's own tests were left out"; fi

test-long: .venv/dev-ready
	$(BIN)/python -m pytest -m long -n 2 --dist loadfile --timeout 3600

check: .venv/dev-ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: .venv/dev-ready
	$(BIN)/python -m benchmarks.play
	$(BIN)/python -m benchmarks.recording
	$(BIN)/python -m benchmarks.uploading
	$(BIN)/python -m benchmarks.arriving
	$(BIN)/python -m benchmarks.mirror

screenshots: .venv/dev-ready
	$(BIN)/python scripts/screenshots.py

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/ready: .venv/bin/python requirements.txt pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -e .
	touch $@

.venv/dev-ready: .venv/ready requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@
