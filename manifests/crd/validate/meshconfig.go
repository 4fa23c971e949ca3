package validate

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/manifests/mesh"
)

const (
	// MinServiceCertValidity is short enough for any test and long enough for a
	// certificate to reach its proxies before it is renewed.
	MinServiceCertValidity = time.Minute
	// maxServiceCertValidity is the lifetime of a root that the mesh makes.
	maxServiceCertValidity = 87600 * time.Hour
	// maxDuration is how long the schemas let the text of one be.
	maxDuration = 32
)

func meshConfig(spec v1.MeshConfigSpec) field.ErrorList {
	path := field.NewPath("spec")
	return slices.Concat(
		certificate(path.Child("certificate"), spec.Certificate),
		sidecar(path.Child("sidecar"), spec.Sidecar),
		traffic(path.Child("traffic"), spec.Traffic),
		oneOf(path.Child("observability", "logLevel"), spec.Observability.LogLevel, logLevels()...))
}

func certificate(path *field.Path, c v1.Certificate) field.ErrorList {
	problems := oneOf(path.Child("keyAlgorithm"), mesh.KeyAlgorithm(c.KeyAlgorithm), mesh.KeyAlgorithms()...)
	if value := c.ServiceCertValidityDuration; value != "" {
		problems = append(problems, validity(path.Child("serviceCertValidityDuration"), value)...)
	}
	return problems
}

func validity(path *field.Path, value string) field.ErrorList {
	validity, err := time.ParseDuration(value)
	if err != nil || len(value) > maxDuration {
		return field.ErrorList{field.Invalid(path, value, "not a Go duration: write it as 24h, 30m or 1h30m")}
	}
	switch {
	case validity < MinServiceCertValidity:
		return field.ErrorList{field.Invalid(path, value, "too short: use at least 1m, for renewal to keep up")}
	case validity > maxServiceCertValidity:
		return field.ErrorList{field.Invalid(path, value, "too long: use at most 87600h, ten years")}
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
	known := mesh.SidecarResources()
	var problems field.ErrorList
	for _, name := range slices.Sorted(maps.Keys(list)) {
		quantity := list[name]
		unknown := oneOf(path.Key(string(name)), name, known[:]...)
		problems = append(problems, unknown...)
		if _, err := mesh.Amount(name, quantity); err != nil && unknown == nil {
			problems = append(problems, field.Invalid(path.Key(string(name)), quantity.String(), err.Error()))
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
