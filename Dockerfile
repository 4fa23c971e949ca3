# The image of one component, for anyone who builds with a container engine; make
# images needs none.
#
#   docker build --build-arg COMPONENT=osm-controller -t registry.example.com/osm/osm-controller:0.1.0 .
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG COMPONENT
ARG VERSION=devel
ARG TARGETOS
ARG TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -tags grpcnotrace \
    -ldflags "-s -w -X github.com/osm-edge/osm/cmd/internal/component.version=$VERSION" \
    -o /component ./cmd/$COMPONENT

FROM scratch
COPY --from=build /component /component
USER 65532:65532
ENTRYPOINT ["/component"]
