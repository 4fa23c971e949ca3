package injector

// Decision is how an admission ended.
type Decision string

// The decisions.
const (
	Injected Decision = "injected" // the pod gets its sidecar
	Skipped  Decision = "skipped"  // the pod stays as it is
	Refused  Decision = "refused"  // the pod must change, or its namespace
	Failed   Decision = "failed"   // the fault is not the pod's
)

// Reason is why an admission ended as it did. There are few of them, so they
// can be values of a metric's label.
type Reason string

const (
	podAsks            Reason = "pod-asks"
	namespaceMonitored Reason = "namespace-monitored"

	systemNamespace       Reason = "system-namespace"
	namespaceIgnored      Reason = "namespace-ignored"
	namespaceNotMonitored Reason = "namespace-not-monitored"
	podDeclines           Reason = "pod-declines"
	namespaceDeclines     Reason = "namespace-declines"
	hostNetwork           Reason = "host-network"
	windows               Reason = "windows"
	mirrorPod             Reason = "mirror-pod"
	noContainers          Reason = "no-containers"
	alreadyInjected       Reason = "already-injected"
	notCreated            Reason = "not-created"

	badAnnotation Reason = "annotation"
	badIdentity   Reason = "identity"
	badProbe      Reason = "probe"
	conflict      Reason = "conflict"
	badPorts      Reason = "ports"

	badRequest       Reason = "bad-request"
	unknownNamespace Reason = "namespace-lookup"
	internal         Reason = "internal"
)

// reasons are those that each decision can have.
func reasons() map[Decision][]Reason {
	return map[Decision][]Reason{
		Injected: {podAsks, namespaceMonitored},
		Skipped: {
			systemNamespace, namespaceIgnored, namespaceNotMonitored, podDeclines, namespaceDeclines,
			hostNetwork, windows, mirrorPod, noContainers, alreadyInjected, notCreated,
		},
		Refused: {badAnnotation, badIdentity, badProbe, badPorts, conflict},
		Failed:  {badRequest, unknownNamespace, internal},
	}
}

// Explanation says what a refusal or failure is about, in words that are the same
// for every pod.
func (r Reason) Explanation() string {
	const refused, more = "A pod was refused: ", ". The answer to its creation names the field: see the Events FailedCreate of its owner."
	switch r {
	case badAnnotation:
		return refused + "an annotation of the pod or its namespace has a value that the mesh does not take" + more
	case badIdentity:
		return refused + "its service account cannot have a certificate of the mesh" + more
	case badProbe:
		return refused + "a probe or hook cannot be asked through the sidecar" + more
	case badPorts:
		return refused + "it declares more HTTP ports than a sidecar takes" + more
	case conflict:
		return refused + "it has a name, port, label, annotation or user that is the sidecar's" + more
	case unknownNamespace:
		return "looking up the pod's namespace failed"
	}
	return "the sidecar could not be added"
}
