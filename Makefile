# Thin names for `python3 dev.py`, which does the work and the set-up.
.PHONY: bench demo test setup format generate lock

bench demo test setup:
	python3 dev.py $@

format: setup
	.venv/bin/ruff check --fix . && .venv/bin/ruff format .

generate: setup
	.venv/bin/python -m streams.schema --write

lock: setup
	.venv/bin/uv pip compile pyproject.toml --extra dev --extra demo --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate -o requirements.lock
	.venv/bin/uv pip compile bench/requirements.in --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate -o bench/requirements.lock
