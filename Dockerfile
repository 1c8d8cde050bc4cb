# The image of incident-router: `web`, `worker` or `run`, one process a container, configured by a mounted file.
# Nothing is fetched but what requirements/ names, with its hash.

# Both stages stand on this one. A release names it by digest: --build-arg BASE=python:3.13-slim-bookworm@sha256:...
ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build

# The environment in which the wheel is built stays behind in this stage, and pip with it.
# Wheels only: building a package from source would fetch what it is built with, at whatever version is newest.
COPY requirements/pip.txt requirements/build.txt requirements/
RUN python -m venv /build/tools \
    && /build/tools/bin/pip install --no-compile --require-hashes --only-binary :all: -r requirements/pip.txt \
    && /build/tools/bin/pip install --no-compile --require-hashes --only-binary :all: -r requirements/build.txt

# What runs, with OpenTelemetry for traces: its own layer, so that a change of our code alone leaves it as it is.
COPY requirements/runtime.txt requirements/runtime.txt
RUN python -m venv --without-pip /opt/incident-router \
    && /build/tools/bin/pip --python /opt/incident-router install --no-compile --require-hashes --only-binary :all: \
        -r requirements/runtime.txt

COPY pyproject.toml README.md LICENSE ./
COPY router router
# The image is read-only, so all modules are compiled here. Their sources never change, so the times aren't compared. `-f` replaces what pip
# has compiled of the packages that it imports.
RUN /build/tools/bin/python -m hatchling build -t wheel -d /build/wheels \
    && /build/tools/bin/pip --python /opt/incident-router install --no-compile --no-deps /build/wheels/*.whl \
    && /opt/incident-router/bin/python -m compileall -q -f -j 0 --invalidation-mode unchecked-hash /opt/incident-router/lib


FROM ${BASE}

ARG VERSION=unreleased
ARG REVISION=unknown
LABEL org.opencontainers.image.title="incident-router" \
      org.opencontainers.image.description="Routes monitoring alerts to incidents and public status pages at incident.io and DevHelm" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

COPY --from=build /opt/incident-router /opt/incident-router
COPY LICENSE /opt/incident-router/LICENSE

ENV PATH=/opt/incident-router/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1

# A number, so that Kubernetes can see that it isn't root. Any other user and group works, too: all files are readable for
# everyone, and none is written.
USER 65532:65532
EXPOSE 8080 8081

# No health check here: Kubernetes asks /healthz and /readyz, which `web` and `worker` serve.
ENTRYPOINT ["incident-router"]
CMD ["run"]
