# Thin names for `python3 dev.py`, which does the work and the set-up.
.PHONY: demo test setup format generate lock

demo test setup:
	python3 dev.py $@

format: setup
	.venv/bin/ruff check --fix . && .venv/bin/ruff format .

generate: setup
	.venv/bin/python -m streams.schema --write
	.venv/bin/carewatch dashboards build

lock: setup
	.venv/bin/uv pip compile pyproject.toml --extra dev --extra demo --extra rocksdb --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate -o requirements.lock
