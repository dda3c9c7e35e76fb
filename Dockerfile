# Keywatch in a container: Debian without a package manager's leftovers, Node, the compiled program, its dependencies.
# Runs as user 10001 and writes to /data only, so that its file system can be read-only:
#   docker run --read-only --tmpfs /tmp -v keywatch-data:/data -v ./keywatch.yml:/etc/keywatch/keywatch.yml:ro keywatch

FROM node:24.21.0-bookworm-slim AS build
WORKDIR /app
# Without install scripts: the only one fetches a Node, and here is one.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --include=dev --ignore-scripts
COPY . .
RUN node scripts/build.mjs \
  && npm prune --omit=dev --ignore-scripts \
  && rm -rf node_modules/node node_modules/.cache node_modules/.bin dist/.built

FROM debian:bookworm-20251229-slim
RUN groupadd --gid 10001 keywatch \
  && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin keywatch \
  && install --directory --owner=keywatch --group=keywatch --mode=700 /data
COPY --from=build /usr/local/bin/node /usr/local/bin/node
COPY --from=build /app/package.json /app/LICENSE /app/NOTICE /app/
COPY --from=build /app/node_modules /app/node_modules
COPY --from=build /app/bin /app/bin
COPY --from=build /app/dist /app/dist
RUN ln -s /app/bin/keywatch.mjs /usr/local/bin/keywatch

# The probes and /metrics are for the network of the container; who may reach them is decided where ports are published.
ENV NODE_ENV=production \
    NODE_DISABLE_COMPILE_CACHE=1 \
    HOME=/data \
    KEYWATCH_DATA_DIR=/data \
    KEYWATCH_OPS__LISTEN=0.0.0.0:9420
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 9420
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9420/livez').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["keywatch"]
CMD ["run", "-c", "/etc/keywatch/keywatch.yml"]
