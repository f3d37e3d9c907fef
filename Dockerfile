# docker build --target gateway .       the gateway
# docker build --target simulators .    the simulated vendors
# Both run as a user without rights on a file system that may be read-only; neither has a shell in its way.

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# The caches keep what is compiled between builds, but are no part of the image: hence the copy.
RUN --mount=type=cache,id=upsert-cargo,target=/usr/local/cargo/registry \
    --mount=type=cache,id=upsert-target,target=/src/target \
    cargo build --profile dist --locked -p upsert-gateway -p upsert-simulators \
    && install -D --strip -t /out target/dist/upsert-gateway target/dist/upsert-simulators

FROM debian:bookworm-slim AS runtime
# The vendors' certificates are checked against these.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin upsert \
    && install -d -o upsert -g upsert -m 0700 /data
# For its `health`, which needs neither shell nor curl.
COPY --from=build /out/upsert-gateway /usr/local/bin/upsert-gateway
USER 10001:10001

FROM runtime AS simulators
COPY --from=build /out/upsert-simulators /usr/local/bin/upsert-simulators
EXPOSE 4101 4103 3156
HEALTHCHECK --interval=5s --timeout=6s --start-period=5s --retries=3 \
    CMD ["upsert-gateway", "health", "--url", "http://127.0.0.1:4101/__sim/health"]
ENTRYPOINT ["upsert-simulators"]
CMD ["--rotor", "0.0.0.0:4101", "--april", "0.0.0.0:4103", "--add-update", "0.0.0.0:3156"]

FROM runtime AS gateway
# The configuration is mounted at /etc/upsert-gateway; what the gateway remembers is in the volume.
ENV UPSERT_GATEWAY__SERVER__BIND=0.0.0.0:8080 \
    UPSERT_GATEWAY__STORE__URL=sqlite:/data/gateway.db \
    UPSERT_GATEWAY_LOG=json
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=6s --start-period=10s --retries=3 \
    CMD ["upsert-gateway", "health", "--url", "http://127.0.0.1:8080/readyz"]
ENTRYPOINT ["upsert-gateway"]
CMD ["serve", "--config", "/etc/upsert-gateway"]
