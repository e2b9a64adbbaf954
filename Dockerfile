# Two stages: Node and build tools stay in the first. Base images are pinned by version; pin them
# by digest in your own registry.
FROM python:3.13-slim AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/gateway
COPY requirements.lock gateway/console/node.lock ./
RUN /opt/gateway/bin/pip install --require-hashes --only-binary :all: -r requirements.lock \
 && python -m venv /opt/node \
 && /opt/node/bin/pip install --require-hashes --only-binary :all: -r node.lock
COPY . .
# The page is built by the wheel's Node, from the locked packages, before the project is installed.
RUN /opt/node/bin/python -m gateway.console.build \
 && /opt/gateway/bin/pip install --no-index --no-deps --no-build-isolation .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home gateway
COPY --from=build /opt/gateway /opt/gateway
USER 10001
ENV PATH=/opt/gateway/bin:$PATH PYTHONUNBUFFERED=1 GATEWAY_PORT=8000
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
  CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['GATEWAY_PORT']}/livez\", timeout=2)"]
STOPSIGNAL SIGTERM
# Without callers the gateway listens on loopback only (--network host, or a sidecar in the same pod).
# On a public address: -e GATEWAY_HOST=0.0.0.0 -e GATEWAY_CLIENTS_FILE=/etc/gateway/clients.toml.
ENTRYPOINT ["invoice-gateway"]
CMD ["serve"]
