package provider

import (
	"crypto/x509"
	"errors"
	"fmt"
	"reflect"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/trustbundle"
	v1 "github.com/osm-edge/osm/manifests/crd/v1"
)

// The reasons of conditions.
const (
	reasonReached       = v1.ReasonReached
	reasonRootsRefused  = v1.ReasonRootsRefused
	reasonUnreachable   = v1.ReasonUnreachable
	reasonRefused       = v1.ReasonRefused
	reasonSecretMissing = v1.ReasonSecretMissing
	reasonFailing       = v1.ReasonFailing
	reasonSigning       = "Signing"
	reasonTrusted       = "Trusted"
	reasonSuperseded    = "Superseded"
	reasonUnknown       = "RootsUnknown"
	reasonLeftOut       = v1.ReasonRootsLeftOut
	reasonTokenEnds     = v1.ReasonTokenEnds
	reasonShortened     = v1.ReasonLifetimesShortened
)

const (
	maxMessage = 1024
	maxRoots   = 32
	maxSubject = 1024
)

// computed is the status of an object, without the times of its conditions.
type computed struct {
	generation int64
	ready      condition
	inUse      condition
	signing    condition
	roots      trustbundle.TrustBundle
	rotation   *v1.RotationStatus
}

// condition is a condition without its type and times.
type condition struct {
	status          metav1.ConditionStatus
	reason, message string
}

func (o computed) equal(other computed) bool {
	return o.generation == other.generation && o.ready == other.ready && o.inUse == other.inUse && o.signing == other.signing &&
		o.roots.Equal(other.roots) && reflect.DeepEqual(o.rotation, other.rotation)
}

// compute returns the status of a root, while signer signs.
func compute(r, signer *root, health issuer.Health) computed {
	o := computed{generation: r.object.Generation, ready: readiness(r), inUse: usage(r, signer)}
	if r.used() {
		o.roots = r.state.roots
	}
	o.signing = condition{metav1.ConditionFalse, o.inUse.reason, "no certificate is signed with it"}
	if r.is(signer) {
		o.roots = o.roots.Union(signer.state.roots)
		o.signing = condition{metav1.ConditionTrue, reasonSigning, "certificates are signed with it"}
		if health.Open && health.Root == r.object.Name && o.ready.status == metav1.ConditionTrue {
			o.ready = condition{metav1.ConditionFalse, reasonFailing, bounded(health.Err.Error())}
		}
	}
	return o
}

func readiness(r *root) condition {
	switch {
	case !r.used():
		return condition{metav1.ConditionUnknown, string(r.object.Spec.Role), fmt.Sprintf("it is not asked while it is %s", r.object.Spec.Role)}
	case r.state.problem != nil:
		return condition{metav1.ConditionFalse, r.state.problem.reason, bounded(r.state.problem.err.Error())}
	case r.authority.tried == r.state && r.authority.trial != nil:
		return condition{metav1.ConditionFalse, r.authority.trial.reason, bounded(r.authority.trial.err.Error())}
	}
	reason, messages := reasonReached, []string{"its roots are known"}
	if r.state.signs != "" {
		messages = append(messages, r.state.signs)
	}
	notices := r.state.notices
	if len(r.refused) > 0 {
		notices = append([]problem{{reasonRootsRefused, errors.New("it has others, which are not trusted, for the issuer of its role does not chain to them: " + nameRoots(r.refused))}}, notices...)
	}
	for i, notice := range notices {
		if messages = append(messages, notice.err.Error()); i == 0 {
			reason = notice.reason
		}
	}
	return condition{metav1.ConditionTrue, reason, bounded(strings.Join(messages, "; "))}
}

func usage(r, signer *root) condition {
	role := r.object.Spec.Role
	switch {
	case r.is(signer) && role == v1.Active && signer.authority == r.authority:
		return condition{metav1.ConditionTrue, reasonSigning, "certificates are signed with it"}
	case r.is(signer):
		return condition{metav1.ConditionTrue, reasonSigning, "certificates are signed with it as it was, until another that is Active can"}
	case !r.used():
		return condition{metav1.ConditionFalse, string(role), fmt.Sprintf("it is %s", role)}
	case r.state.roots.IsEmpty():
		return condition{metav1.ConditionFalse, reasonUnknown, "its roots are not known"}
	case role == v1.Passive:
		return condition{metav1.ConditionTrue, reasonTrusted, "it is Passive, and so trusted only"}
	case signer == nil:
		return condition{metav1.ConditionFalse, reasonUnknown, "nothing signs yet"}
	case v1.ByAge(signer.object, r.object) < 0:
		return condition{metav1.ConditionTrue, reasonSuperseded, fmt.Sprintf("%s is newer and signs; this one is trusted only", signer.object.Name)}
	}
	return condition{metav1.ConditionTrue, reasonTrusted, fmt.Sprintf("it is trusted; %s signs until this one can", signer.object.Name)}
}

func describe(roots []*x509.Certificate) (all []v1.RootStatus) {
	for _, root := range roots[:min(len(roots), maxRoots)] {
		all = append(all, v1.RootStatus{
			Subject:     cut(root.Subject.String(), maxSubject),
			Fingerprint: trustbundle.Fingerprint(root),
			NotAfter:    metav1.NewTime(root.NotAfter),
		})
	}
	return all
}

func bounded(message string) string { return cut(message, maxMessage) }

// cut leaves no half of a letter.
func cut(text string, n int) string { return strings.ToValidUTF8(text[:min(len(text), n)], "") }
