# The search service alone: answers queries, changes nothing but the query log. Build it from the root of the repository:
#   docker build -f infra/images/service.Dockerfile -t plumbline-service .
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
COPY constraints.txt infra/images/service-requirements.txt ./
RUN python -m venv /opt/plumbline \
    && /opt/plumbline/bin/pip install --no-cache-dir --constraint constraints.txt --requirement service-requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY plumbline plumbline
COPY retrieval_service retrieval_service
COPY quality_checks quality_checks
COPY search_index search_index
RUN /opt/plumbline/bin/pip install --no-cache-dir --no-deps .

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/plumbline plumbline \
    && install --directory --owner plumbline /var/lib/plumbline/home
COPY --from=build /opt/plumbline /opt/plumbline
ENV PATH=/opt/plumbline/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HF_HUB_OFFLINE=1 \
    PLUMBLINE_HOME=/var/lib/plumbline/home \
    PLUMBLINE_CONTRACTS=/var/lib/plumbline/contracts \
    PLUMBLINE_HOST=0.0.0.0 \
    PLUMBLINE_PORT=8000
USER 10001
WORKDIR /var/lib/plumbline
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/live', timeout=2)"]
CMD ["plumbline", "serve"]
