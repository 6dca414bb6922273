# syntax=docker/dockerfile:1
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS source
WORKDIR /mayfly
COPY . .

FROM source AS build
RUN --mount=type=cache,target=/root/.npm npm ci
RUN npx tsc -b apps/broker apps/worker

# What the two apps import at run time, and nothing else: no development tools, no Prisma CLI, no
# embedded PostgreSQL.
FROM source AS runnable
RUN --mount=type=cache,target=/root/.npm \
    npm ci --ignore-scripts --omit=dev --omit=optional --omit=peer \
      --workspace apps/broker --workspace apps/worker
RUN --mount=type=bind,from=build,source=/mayfly,target=/built \
    cd /built \
    && find packages apps -name node_modules -prune -o -type d -name dist -exec cp -r --parents {} /mayfly \; -prune \
    && cd /mayfly \
    && rm -rf packages/*/src apps/*/src apps/cli apps/sandbox

FROM ${NODE_IMAGE} AS runtime
ENV NODE_ENV=production
WORKDIR /mayfly
COPY --from=runnable /mayfly/package.json ./
COPY --from=runnable /mayfly/node_modules node_modules
COPY --from=runnable /mayfly/packages packages
COPY --from=runnable /mayfly/apps apps
# Applied at start, from beside the packages.
COPY --from=runnable /mayfly/prisma/migrations prisma/migrations
USER node

FROM runtime AS worker
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.HEALTH_PORT ?? 8081}/readyz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "apps/worker/dist/main.js"]

FROM runtime AS broker
EXPOSE 8080
# Alive, not ready: a broker without a policy set waits for its first one.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT ?? 8080}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "apps/broker/dist/main.js"]
