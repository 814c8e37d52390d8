# One target per service; each image holds only what its service needs.
#   docker build --target ngas-fetcher --tag alma-restore/ngas-fetcher .
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

# -- What all share: a user without rights, the environment, how health is asked for.
FROM ${PYTHON_IMAGE} AS runtime
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="alma-restore" \
      org.opencontainers.image.description="Calibrated ALMA data on request" \
      org.opencontainers.image.licenses="BSD-3-Clause" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN useradd --system --uid 10001 --user-group --home-dir /tmp --shell /usr/sbin/nologin alma-restore \
 && for folder in observatory scratch status triggers; do \
      install --directory --owner=alma-restore --group=alma-restore "/var/lib/alma-restore/${folder}"; done
ENV PATH=/opt/alma-restore/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    ALMA_RESTORE_HTTP_HOST=0.0.0.0 \
    ALMA_RESTORE_HTTP_PORT=8080
WORKDIR /tmp
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/live', timeout=4)"]
ENTRYPOINT ["alma-restore"]

# -- Where packages are installed. The requirements come first, so that a change of the code installs nothing anew.
FROM ${PYTHON_IMAGE} AS requirements
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CONSTRAINT=/src/constraints.txt
RUN python3 -m venv /opt/alma-restore
ENV PATH=/opt/alma-restore/bin:${PATH}
COPY constraints.txt pyproject.toml README.md ./
RUN pip install --quiet '.[tracing]'

FROM requirements AS wheel
COPY . .
RUN pip wheel --quiet --no-deps --wheel-dir /wheel .

FROM requirements AS request-desk-packages
RUN pip install --quiet '.[request-desk]'
COPY --from=wheel /wheel /wheel
RUN pip install --quiet --no-deps --force-reinstall /wheel/*.whl

FROM runtime AS request-desk
COPY --from=request-desk-packages /opt/alma-restore /opt/alma-restore
CMD ["run", "request-desk"]

FROM requirements AS entitlement-checker-packages
RUN pip install --quiet '.[entitlement-checker]'
COPY --from=wheel /wheel /wheel
RUN pip install --quiet --no-deps --force-reinstall /wheel/*.whl

FROM runtime AS entitlement-checker
COPY --from=entitlement-checker-packages /opt/alma-restore /opt/alma-restore
CMD ["run", "entitlement-checker"]

FROM requirements AS metadata-resolver-packages
RUN pip install --quiet '.[metadata-resolver]'
COPY --from=wheel /wheel /wheel
RUN pip install --quiet --no-deps --force-reinstall /wheel/*.whl

FROM runtime AS metadata-resolver
COPY --from=metadata-resolver-packages /opt/alma-restore /opt/alma-restore
CMD ["run", "metadata-resolver"]

FROM requirements AS ngas-fetcher-packages
RUN pip install --quiet '.[ngas-fetcher]'
COPY --from=wheel /wheel /wheel
RUN pip install --quiet --no-deps --force-reinstall /wheel/*.whl

FROM runtime AS ngas-fetcher
COPY --from=ngas-fetcher-packages /opt/alma-restore /opt/alma-restore
CMD ["run", "ngas-fetcher"]

FROM requirements AS ppr-builder-packages
RUN pip install --quiet '.[ppr-builder]'
COPY --from=wheel /wheel /wheel
RUN pip install --quiet --no-deps --force-reinstall /wheel/*.whl

FROM runtime AS ppr-builder
COPY --from=ppr-builder-packages /opt/alma-restore /opt/alma-restore
CMD ["run", "ppr-builder"]

FROM requirements AS casa-runner-packages
RUN pip install --quiet '.[casa-runner]'
COPY --from=wheel /wheel /wheel
RUN pip install --quiet --no-deps --force-reinstall /wheel/*.whl

FROM runtime AS casa-runner
COPY --from=casa-runner-packages /opt/alma-restore /opt/alma-restore
CMD ["run", "casa-runner"]

FROM requirements AS notifier-packages
RUN pip install --quiet '.[notifier]'
COPY --from=wheel /wheel /wheel
RUN pip install --quiet --no-deps --force-reinstall /wheel/*.whl

FROM runtime AS notifier
COPY --from=notifier-packages /opt/alma-restore /opt/alma-restore
CMD ["run", "notifier"]

# -- A miniature ALMA for trying out: synthetic execution blocks, an NGAS-protocol server, a metadata database.
FROM requirements AS observatory-packages
RUN pip install --quiet '.[demo]'
COPY --from=wheel /wheel /wheel
RUN pip install --quiet --no-deps --force-reinstall /wheel/*.whl

FROM runtime AS observatory
COPY --from=observatory-packages /opt/alma-restore /opt/alma-restore
HEALTHCHECK --interval=5s --timeout=5s --start-period=300s --retries=3 \
  CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:7777/STATUS', timeout=4)"]
EXPOSE 7777
ENTRYPOINT ["python", "-m", "observatory"]
CMD ["--root", "/var/lib/alma-restore/observatory", "--host", "0.0.0.0", "--name", "observatory", "--port", "7777"]
