# syntax=docker/dockerfile:1
# Build:  docker build -t mt-service .
# GPU:    docker build -t mt-service --build-arg TORCH_INDEX=<the index URL that pytorch.org shows for your CUDA> .
# Run:    docker run --rm -p 8000:8000 mt-service

FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /opt/mt
COPY constraints.txt ./
# The CPU build of torch is a tenth of the size of the CUDA build; a build argument chooses another one.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN /opt/mt/bin/pip install --no-cache-dir --constraint constraints.txt --index-url "$TORCH_INDEX" torch \
 || /opt/mt/bin/pip install --no-cache-dir --constraint constraints.txt torch
COPY pyproject.toml README.md CHANGELOG.md ./
COPY data data
COPY models models
COPY training training
COPY mt_service mt_service
RUN /opt/mt/bin/pip wheel --no-cache-dir --no-deps --wheel-dir dist . \
 && /opt/mt/bin/pip install --no-cache-dir --constraint constraints.txt dist/*.whl

FROM python:3.11-slim
# The engine is compiled when the server first starts, for the processor that it finds.
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 10001 mt
COPY --from=build /opt/mt /opt/mt
ENV PATH=/opt/mt/bin:$PATH MT_HOST=0.0.0.0 MT_PORT=8000 MT_HOME=/home/mt/workspace PYTHONUNBUFFERED=1
USER mt
WORKDIR /home/mt
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD python -c "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['MT_PORT'] + '/health/ready', timeout=2)"
STOPSIGNAL SIGTERM
CMD ["mt", "serve"]
