package sds

import (
	"context"
	"strings"

	"google.golang.org/grpc/metadata"
)

// maxTokenBytes is several times what a service account's token takes.
const maxTokenBytes = 8 << 10

// bearer returns the one token of the request's metadata (RFC 6750, section
// 2.1). More than one is refused: no two readers would agree on which counts.
func bearer(ctx context.Context) (string, error) {
	md, _ := metadata.FromIncomingContext(ctx) // no metadata is no token
	values := md.Get("authorization")
	if len(values) != 1 {
		return "", refuse(ReasonNoToken, "the call carries %d authorization entries, it needs one: \"Bearer\" and the pod's service account token for audience %s",
			len(values), Audience)
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "bearer") || token == "" {
		return "", refuse(ReasonNoToken, "the call's authorization is not of the form \"Bearer <token>\"")
	}
	if len(token) > maxTokenBytes {
		return "", refuse(ReasonMalformedToken, "a token of %d bytes is longer than %d", len(token), maxTokenBytes)
	}
	return token, nil
}
