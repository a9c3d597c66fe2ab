# The pipeline: Dagster's web server, its daemon, the code location, and the command line. Build it from the root of the repository:
#   docker build -f infra/images/pipeline.Dockerfile -t plumbline-pipeline .
# --build-arg TORCH_INDEX=URL takes torch from where its CPU build is kept; the usual build brings gigabytes of CUDA.
FROM python:3.11-slim-bookworm AS build
ARG TORCH_INDEX=""
WORKDIR /build
COPY constraints.txt ./
RUN python -m venv /opt/plumbline \
    && /opt/plumbline/bin/pip install --no-cache-dir --constraint constraints.txt ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch
COPY pyproject.toml README.md LICENSE ./
COPY plumbline plumbline
COPY pipelines pipelines
COPY retrieval_service retrieval_service
COPY quality_checks quality_checks
COPY search_index search_index
RUN /opt/plumbline/bin/pip install --no-cache-dir --constraint constraints.txt ".[postgres,s3]"

FROM python:3.11-slim-bookworm
# What reads scans and old office formats, with the versions of the distribution that the base image pins.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        libreoffice-calc-nogui libreoffice-impress-nogui libreoffice-writer-nogui poppler-utils tesseract-ocr \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --home-dir /var/lib/plumbline plumbline \
    && install --directory --owner plumbline /var/lib/plumbline/home
COPY --from=build /opt/plumbline /opt/plumbline
ENV PATH=/opt/plumbline/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HF_HUB_OFFLINE=1 \
    DAGSTER_DISABLE_TELEMETRY=yes \
    GX_ANALYTICS_ENABLED=false \
    PLUMBLINE_HOME=/var/lib/plumbline/home \
    PLUMBLINE_CONTRACTS=/var/lib/plumbline/contracts
USER 10001
WORKDIR /var/lib/plumbline
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=4 \
    CMD ["dagster", "api", "grpc-health-check", "--port", "4000"]
CMD ["dagster", "code-server", "start", "--module-name", "pipelines.definitions", "--host", "0.0.0.0", "--port", "4000"]
