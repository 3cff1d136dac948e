# The image of the worker, of `carewatch topics create` and of the simulator.
#
# Every library is that of requirements.lock, its hash checked; the build tool too. The versions below are tags:
# for a build that cannot change under you, write the digests that your registry gives for them (docs/deploy.md).
ARG PYTHON=3.11.14-slim-bookworm
ARG UV=0.13.9

FROM ghcr.io/astral-sh/uv:${UV} AS uv

FROM python:${PYTHON} AS build
COPY --from=uv /uv /usr/local/bin/uv
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never
WORKDIR /src
# the libraries first: they change less often than the code
COPY pyproject.toml requirements.lock ./
RUN uv venv /opt/carewatch \
    && uv pip install --python /opt/carewatch --require-hashes --no-build \
    --constraints requirements.lock --requirements pyproject.toml
COPY . .
RUN uv build --wheel --build-constraints requirements.lock --require-hashes --out-dir /dist \
    && uv pip install --python /opt/carewatch --no-deps /dist/*.whl

FROM python:${PYTHON}
COPY --from=build /opt/carewatch /opt/carewatch
ENV PATH=/opt/carewatch/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# a number, so that an orchestrator sees that it is not root; nothing on the disk belongs to it
USER 10001:10001
# the only place that is written to, and nothing in it is kept: what a worker knows is in Kafka
WORKDIR /tmp
EXPOSE 6066
# whether the process answers, not /readyz: a standby and a worker that recovers are healthy
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from http.client import HTTPConnection as C; c = C('127.0.0.1', 6066, timeout=4); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["carewatch"]
CMD ["worker", "--web-host", "0.0.0.0", "--web-port", "6066"]
