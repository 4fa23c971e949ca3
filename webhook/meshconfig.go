package webhook

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/osm-edge/osm/manifests/crd/v1"
)

const (
	// minServiceCertValidity is short enough for any test and long enough for a
	// certificate to reach its proxies before it is renewed.
	minServiceCertValidity = time.Minute
	// maxServiceCertValidity is the lifetime of a root that the mesh makes.
	maxServiceCertValidity = 87600 * time.Hour
	// maxDuration is how long the schemas let the text of one be.
	maxDuration = 32
)

func (v *Validator) meshConfig(ctx context.Context, r *review, verdict *verdict) {
	config := r.config
	if config == nil || r.settled {
		return
	}
	verdict.refuse(r.misfits...)
	if config.Name != v1.MeshConfigName {
		verdict.warn("MeshConfig %s has no effect: the mesh follows %s", config.Name, v1.MeshConfigName)
	}
	verdict.refuse(v.settings(ctx, config)...)
}

func (v *Validator) settings(ctx context.Context, config *v1.MeshConfig) field.ErrorList {
	spec := field.NewPath("spec")
	return slices.Concat(
		v.certificate(ctx, spec.Child("certificate"), config.Spec.Certificate),
		sidecar(spec.Child("sidecar"), config.Spec.Sidecar),
		traffic(spec.Child("traffic"), config.Spec.Traffic),
		oneOf(spec.Child("observability", "logLevel"), config.Spec.Observability.LogLevel, logLevels()...))
}

func (v *Validator) certificate(ctx context.Context, path *field.Path, c v1.Certificate) field.ErrorList {
	problems := oneOf(path.Child("keyAlgorithm"), c.KeyAlgorithm, "ecdsa-p256", "rsa-2048", "rsa-3072", "rsa-4096", "ed25519")
	if value := c.ServiceCertValidityDuration; value != "" {
		problems = append(problems, v.validity(ctx, path.Child("serviceCertValidityDuration"), value)...)
	}
	return problems
}

func (v *Validator) validity(ctx context.Context, path *field.Path, value string) field.ErrorList {
	validity, err := time.ParseDuration(value)
	if err != nil || len(value) > maxDuration {
		return field.ErrorList{field.Invalid(path, value, "not a Go duration: write it as 24h, 30m or 1h30m")}
	}
	notAfter, known := v.options.RootNotAfter(ctx)
	switch {
	case validity < minServiceCertValidity:
		return field.ErrorList{field.Invalid(path, value, "too short: use at least 1m, for renewal to keep up")}
	case validity > maxServiceCertValidity:
		return field.ErrorList{field.Invalid(path, value, "too long: use at most 87600h, ten years")}
	case known && time.Until(notAfter) < minServiceCertValidity:
		return field.ErrorList{field.Invalid(path, value, fmt.Sprintf(
			"beyond the root, which expires at %s, as any lifetime is: replace the root first", notAfter.UTC().Format(time.RFC3339)))}
	case known && time.Now().Add(validity).After(notAfter):
		return field.ErrorList{field.Invalid(path, value, fmt.Sprintf(
			"beyond the root, which expires at %s: use %s or less, or replace the root first", notAfter.UTC().Format(time.RFC3339), time.Until(notAfter).Truncate(time.Minute)))}
	}
	return nil
}

func logLevels() []v1.LogLevel { return []v1.LogLevel{"debug", "info", "warn", "error"} }

func sidecar(path *field.Path, s v1.Sidecar) field.ErrorList {
	problems := oneOf(path.Child("logLevel"), s.LogLevel, logLevels()...)
	problems = append(problems, image(path.Child("image"), s.Image)...)
	problems = append(problems, image(path.Child("initImage"), s.InitImage)...)
	if s.Resources != nil {
		problems = append(problems, resources(path.Child("resources"), *s.Resources)...)
	}
	return problems
}

// digest is what pins an image, as the OCI's image specification has it for
// SHA-256.
var digest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

func image(path *field.Path, image string) field.ErrorList {
	name, pinned, ok := strings.Cut(image, "@")
	switch {
	case strings.ContainsFunc(image, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return field.ErrorList{field.Invalid(path, image, "not an image: want a reference without blanks, such as flomesh/pipy:1.5.18")}
	case ok && (name == "" || !digest.MatchString(pinned)):
		return field.ErrorList{field.Invalid(path, image, "not a digest: want sha256: and 64 hexadecimal digits after the @, such as of flomesh/pipy@sha256:…")}
	}
	return nil
}

func resources(path *field.Path, r v1.Resources) field.ErrorList {
	problems := append(quantities(path.Child("limits"), r.Limits), quantities(path.Child("requests"), r.Requests)...)
	for _, name := range slices.Sorted(maps.Keys(r.Requests)) {
		request := r.Requests[name]
		if limit, limited := r.Limits[name]; limited && request.Cmp(limit) > 0 {
			problems = append(problems, field.Invalid(path.Child("requests").Key(string(name)), request.String(), "above the limit of "+limit.String()+": lower the request, or raise the limit"))
		}
	}
	return problems
}

func quantities(path *field.Path, list corev1.ResourceList) field.ErrorList {
	var problems field.ErrorList
	for _, name := range slices.Sorted(maps.Keys(list)) {
		quantity := list[name]
		problems = append(problems, oneOf(path.Key(string(name)), name, corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage)...)
		if quantity.Sign() < 0 {
			problems = append(problems, field.Invalid(path.Key(string(name)), quantity.String(), "negative: want an amount, such as 100m of cpu or 64Mi of memory"))
		}
	}
	return problems
}

// oneOf takes one of a few words, or none.
func oneOf[T ~string](path *field.Path, value T, words ...T) field.ErrorList {
	if value == "" || slices.Contains(words, value) {
		return nil
	}
	return field.ErrorList{field.NotSupported(path, value, words)}
}
