# Thin names for `python3 dev.py`, which does the work and the set-up.
.PHONY: bare bench demo look test test-all setup chaos clock fuzz pythons bigfile format generate lock uplot

bare bench demo look test setup chaos clock fuzz pythons:
	python3 dev.py $@

test-all:
	python3 dev.py test --all

bigfile: setup
	CAREWATCH_TEST_FILE_MB=30,1000 .venv/bin/pytest -s tests/integration/test_big_file.py

format: setup
	.venv/bin/ruff check --fix . && .venv/bin/ruff format .

generate: setup
	.venv/bin/python -m streams.schema --write
	.venv/bin/carewatch dashboards build

lock: setup
	.venv/bin/uv pip compile pyproject.toml --extra dev --extra demo --extra rocksdb --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate -o requirements.lock
	.venv/bin/uv pip compile bench/requirements.in --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate -o bench/requirements.lock

# The chart library of the board, as its makers built it: unpacked from npm, and checked to be the version that we looked at.
UPLOT = 1.6.32
UPLOT_FOLDER = agents/board/assets/uplot
uplot:
	folder=$$(mktemp -d) && npm pack --silent --pack-destination $$folder uplot@$(UPLOT) \
		&& tar -xzf $$folder/uplot-$(UPLOT).tgz -C $$folder \
		&& cp $$folder/package/dist/uPlot.iife.min.js $$folder/package/dist/uPlot.min.css $$folder/package/LICENSE $(UPLOT_FOLDER)/ \
		; rm -r $$folder
	cd $(UPLOT_FOLDER) && sha256sum --check SHA256SUMS
