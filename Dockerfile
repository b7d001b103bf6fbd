# A BIDS App: docker run --rm -v BIDS:/data:ro -v OUT:/out deepmir /data /out participant
# The image holds the static program and its licences, nothing else; dist/root says what.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends musl-tools \
    && rustup target add "$(uname -m)-unknown-linux-musl"
WORKDIR /deepmir
COPY . .
ARG SOURCE_DATE_EPOCH=0
RUN dist/build --target "$(uname -m)-unknown-linux-musl" --out /archives \
    && dist/root /archives/*.tar.gz /root-folder

FROM scratch
LABEL org.opencontainers.image.title="deepmir" \
      org.opencontainers.image.description="Finds cerebral microbleeds and iron deposits in brain MRI" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /root-folder/ /
ENTRYPOINT ["/usr/bin/deepmir", "run"]
