# syntax=docker/dockerfile:1
#
# One file, an image for each program:
#   docker build --target manager -t whatsapp-operator/manager:dev .
#   docker build --target webhook-server -t whatsapp-operator/webhook-server:dev .

FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS
ARG TARGETARCH
WORKDIR /src
# The modules first: they change less often than the code.
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
# Both programs in one go: they share most of their packages. Go compiles for other platforms by itself, so
# the build always runs on the builder's own.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags="-s -w" -o /out/ ./cmd/manager ./cmd/webhook-server

FROM gcr.io/distroless/static:nonroot AS base
# By number, as runAsNonRoot can't tell what a name stands for.
USER 65532:65532

FROM base AS manager
COPY --from=build /out/manager /manager
ENTRYPOINT ["/manager"]

FROM base AS webhook-server
COPY --from=build /out/webhook-server /webhook-server
ENTRYPOINT ["/webhook-server"]
