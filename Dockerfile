# Jobtrail over Streamable HTTP: docker build -t jobtrail . && docker run -p 127.0.0.1:8080:8080 -e JOBTRAIL_AUTH_TOKEN=… jobtrail
# It refuses to start without JOBTRAIL_AUTH_TOKEN. Sources are configured by the environment, as README.md says.

# By digest, so that an image is built on the same base everywhere. For a newer one: docker buildx imagetools inspect python:3.13-slim
ARG BASE=python:3.13.15-slim-trixie@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

FROM ${BASE} AS build
WORKDIR /src
# The uv of uv.lock, which makes an environment without pip of the very versions that are locked, checked by their hashes.
RUN pip install --no-cache-dir uv==0.13.9
COPY pyproject.toml uv.lock README.md LICENSE ./
COPY server server
COPY prompts prompts
RUN UV_PROJECT_ENVIRONMENT=/opt/jobtrail UV_PYTHON_DOWNLOADS=never uv sync --locked --no-editable --no-cache

FROM ${BASE}
LABEL org.opencontainers.image.title="Jobtrail" \
      org.opencontainers.image.description="MCP server that tells what ran, what failed and why" \
      org.opencontainers.image.licenses="Apache-2.0" \
      io.modelcontextprotocol.server.name="example.jobtrail/jobtrail"
# The store lies in the home of the user that serves; a new volume there takes over its owner.
RUN useradd --system --uid 10001 --user-group --create-home --home-dir /var/lib/jobtrail --shell /usr/sbin/nologin jobtrail
COPY --from=build /opt/jobtrail /opt/jobtrail
ENV PATH=/opt/jobtrail/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/var/lib/jobtrail \
    JOBTRAIL_STORE=/var/lib/jobtrail/store.db
USER 10001:10001
WORKDIR /var/lib/jobtrail
VOLUME ["/var/lib/jobtrail"]
EXPOSE 8080
STOPSIGNAL SIGTERM
# The image has no curl; http.client takes no proxy from the environment.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8080, timeout=4); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["jobtrail"]
CMD ["serve", "--transport", "http", "--host", "0.0.0.0", "--port", "8080"]
