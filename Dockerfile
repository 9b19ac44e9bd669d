# syntax=docker/dockerfile:1
# The `cdr` command and nothing else: worker, query service, HEP listener, tools.

FROM python:3.12-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/cdr
WORKDIR /src
COPY deploy/requirements.lock ./
RUN /opt/cdr/bin/pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY pipeline pipeline
RUN pip install "setuptools>=77" wheel && pip wheel --no-deps --no-build-isolation -w /wheels . \
 && /opt/cdr/bin/pip install --no-deps /wheels/*.whl \
 && /opt/cdr/bin/pip uninstall -y pip \
 && /opt/cdr/bin/python -m compileall -q /opt/cdr/lib

FROM python:3.12-slim
LABEL org.opencontainers.image.title="call-detail-pipeline" \
      org.opencontainers.image.description="Call events in, call detail records out."
COPY --from=build /opt/cdr /opt/cdr
ENV PATH=/opt/cdr/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /tmp
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["cdr"]
CMD ["--help"]
