# One target per service; each image holds only what its service needs. BuildKit makes them, Docker's own builder from 23 on.
#   docker build --target ngas-fetcher --tag alma-restore/ngas-fetcher .
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

# -- What installs packages: bound in while an image is made, and left in none.
FROM ${PYTHON_IMAGE} AS tools
COPY constraints.txt pyproject.toml /tools/src/
RUN pip install --quiet --no-cache-dir --no-compile --target=/tools --constraint /tools/src/constraints.txt uv
COPY compose/install-packages /tools/bin/

FROM tools AS wheel
ARG VERSION=0.0
WORKDIR /src
COPY . .
RUN SETUPTOOLS_SCM_PRETEND_VERSION="${VERSION}" /tools/bin/uv build --quiet --wheel --no-cache --out-dir /wheel

# -- What all share: a user without rights, the environment, labels.
FROM ${PYTHON_IMAGE} AS runtime
LABEL org.opencontainers.image.description="Calibrated ALMA data on request" \
      org.opencontainers.image.licenses="BSD-3-Clause"
RUN useradd --system --uid 10001 --user-group --home-dir /tmp --shell /usr/sbin/nologin alma-restore \
 && for folder in observatory scratch status triggers; do \
      install --directory --owner=alma-restore --group=alma-restore "/var/lib/alma-restore/${folder}"; done \
 && python3 -m venv --without-pip /opt/alma-restore
COPY compose/healthy /usr/local/bin/
ENV PATH=/opt/alma-restore/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp
WORKDIR /tmp

# -- Our own code, compiled once; every service's image takes it over as its last layer.
FROM runtime AS ours
RUN --mount=from=tools,source=/tools,target=/tools --mount=from=wheel,source=/wheel,target=/wheel \
    /tools/bin/install-packages /wheel/*.whl

# -- CASA from PyPI with its data, for the launchers `container` and `kubernetes`. Runner and observatory stand on it, so
# that a new release of ours moves no CASA.
FROM runtime AS casa
RUN --mount=from=tools,source=/tools,target=/tools --mount=type=cache,target=/var/cache/uv \
    /tools/bin/install-packages casa
USER 10001:10001
ARG VERSION=0.0 REVISION=unknown SOURCE=unknown
LABEL org.opencontainers.image.title="alma-restore casa" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
CMD ["python3"]

# -- How a service starts, and how its health is asked for.
FROM runtime AS service
ENV ALMA_RESTORE_HTTP_HOST=0.0.0.0 ALMA_RESTORE_HTTP_PORT=8080
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
  CMD ["healthy", "8080", "/live"]
ENTRYPOINT ["alma-restore"]

FROM service AS request-desk
RUN --mount=from=tools,source=/tools,target=/tools --mount=type=cache,target=/var/cache/uv \
    /tools/bin/install-packages tracing request-desk
RUN --mount=from=ours,source=/opt/alma-restore,target=/ours cp -au /ours/. /opt/alma-restore/
USER 10001:10001
ARG VERSION=0.0 REVISION=unknown SOURCE=unknown
LABEL org.opencontainers.image.title="alma-restore request-desk" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
CMD ["run", "request-desk"]

FROM service AS entitlement-checker
RUN --mount=from=tools,source=/tools,target=/tools --mount=type=cache,target=/var/cache/uv \
    /tools/bin/install-packages tracing entitlement-checker
RUN --mount=from=ours,source=/opt/alma-restore,target=/ours cp -au /ours/. /opt/alma-restore/
USER 10001:10001
ARG VERSION=0.0 REVISION=unknown SOURCE=unknown
LABEL org.opencontainers.image.title="alma-restore entitlement-checker" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
CMD ["run", "entitlement-checker"]

FROM service AS metadata-resolver
RUN --mount=from=tools,source=/tools,target=/tools --mount=type=cache,target=/var/cache/uv \
    /tools/bin/install-packages tracing metadata-resolver
RUN --mount=from=ours,source=/opt/alma-restore,target=/ours cp -au /ours/. /opt/alma-restore/
USER 10001:10001
ARG VERSION=0.0 REVISION=unknown SOURCE=unknown
LABEL org.opencontainers.image.title="alma-restore metadata-resolver" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
CMD ["run", "metadata-resolver"]

FROM service AS ngas-fetcher
RUN --mount=from=tools,source=/tools,target=/tools --mount=type=cache,target=/var/cache/uv \
    /tools/bin/install-packages tracing ngas-fetcher
RUN --mount=from=ours,source=/opt/alma-restore,target=/ours cp -au /ours/. /opt/alma-restore/
USER 10001:10001
ARG VERSION=0.0 REVISION=unknown SOURCE=unknown
LABEL org.opencontainers.image.title="alma-restore ngas-fetcher" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
CMD ["run", "ngas-fetcher"]

FROM service AS ppr-builder
RUN --mount=from=tools,source=/tools,target=/tools --mount=type=cache,target=/var/cache/uv \
    /tools/bin/install-packages tracing ppr-builder
RUN --mount=from=ours,source=/opt/alma-restore,target=/ours cp -au /ours/. /opt/alma-restore/
USER 10001:10001
ARG VERSION=0.0 REVISION=unknown SOURCE=unknown
LABEL org.opencontainers.image.title="alma-restore ppr-builder" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
CMD ["run", "ppr-builder"]

FROM service AS notifier
RUN --mount=from=tools,source=/tools,target=/tools --mount=type=cache,target=/var/cache/uv \
    /tools/bin/install-packages tracing notifier
RUN --mount=from=ours,source=/opt/alma-restore,target=/ours cp -au /ours/. /opt/alma-restore/
USER 10001:10001
ARG VERSION=0.0 REVISION=unknown SOURCE=unknown
LABEL org.opencontainers.image.title="alma-restore notifier" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
CMD ["run", "notifier"]

FROM casa AS casa-runner
USER root
RUN --mount=from=tools,source=/tools,target=/tools --mount=type=cache,target=/var/cache/uv \
    /tools/bin/install-packages tracing casa-runner
RUN --mount=from=ours,source=/opt/alma-restore,target=/ours cp -au /ours/. /opt/alma-restore/
USER 10001:10001
ARG VERSION=0.0 REVISION=unknown SOURCE=unknown
LABEL org.opencontainers.image.title="alma-restore casa-runner" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
ENV ALMA_RESTORE_HTTP_HOST=0.0.0.0 ALMA_RESTORE_HTTP_PORT=8080
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
  CMD ["healthy", "8080", "/live"]
ENTRYPOINT ["alma-restore"]
CMD ["run", "casa-runner"]

# -- A miniature ALMA for trying out: synthetic execution blocks, an NGAS-protocol server, a metadata database.
FROM casa AS observatory
USER root
RUN --mount=from=tools,source=/tools,target=/tools --mount=type=cache,target=/var/cache/uv \
    /tools/bin/install-packages tracing demo
RUN --mount=from=ours,source=/opt/alma-restore,target=/ours cp -au /ours/. /opt/alma-restore/
USER 10001:10001
ARG VERSION=0.0 REVISION=unknown SOURCE=unknown
LABEL org.opencontainers.image.title="alma-restore observatory" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
HEALTHCHECK --interval=10s --timeout=5s --start-period=300s --retries=3 \
  CMD ["healthy", "7777", "/STATUS"]
EXPOSE 7777
ENTRYPOINT ["python", "-m", "observatory"]
CMD ["--root", "/var/lib/alma-restore/observatory", "--host", "0.0.0.0", "--name", "observatory", "--port", "7777"]
