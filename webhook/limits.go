package webhook

// limits are what a JSON body may hold. They are checked as it arrives, before
// anything is decoded: a decoder makes hundreds of bytes of each "{}".
type limits struct {
	bytes int
	// values are those of all objects and arrays, and the objects and arrays.
	values int
	depth  int
	// name is the longest name of a member, text the longest other string, and
	// number the longest number, in bytes.
	name, text, number int
}

// bodyLimits fit whatever an API server sends. It takes requests of 3 MiB, and
// etcd objects of 1.5 MiB (Kubernetes, DefaultMaxRequestBodyBytes; etcd,
// --max-request-bytes). An AdmissionReview holds two objects at most, and a
// ConversionReview those of a page of a list.
//
// 100,000 values are a pod of 14,000 environment variables and the managed fields
// of each, or ConversionReviews of 600 MeshRootCertificates.
var bodyLimits = limits{bytes: 7 << 20, values: 100_000, depth: 64, name: 8 << 10, text: 3 << 20, number: 64}

// conversionLimits are those of ConversionReviews. A conversion holds its objects
// more often than a validation: as text, decoded, converted and encoded again. In
// a page of a list, that is one object as large as etcd takes and many usual ones.
func conversionLimits() limits {
	l := bodyLimits
	l.bytes = 4 << 20
	return l
}

const (
	// smallBody fits the reviews of nearly all pods. What is no larger waits for no
	// other body: each connection may have one (see maxConnections).
	smallBody = 32 << 10
	// valueBytes is what a value takes at most once it is decoded: "{}" in an array
	// of containers, whose array has grown, or as a map that has been copied.
	valueBytes = 400
	// bodyCopies is how often the text of a body is held while it is answered.
	bodyCopies = 3
)

// decodedBytes estimates what it takes to decode and answer a body.
func decodedBytes(bytes, values int) int64 {
	return int64(bytes)*bodyCopies + int64(values)*valueBytes
}
