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

// opinion is what is to be said of an object, but for since when.
type opinion struct {
	generation int64
	ready      verdict
	inUse      verdict
	signing    verdict
	roots      trustbundle.TrustBundle
	rotation   *v1.RotationStatus
}

// verdict is a condition without its type and times.
type verdict struct {
	status          metav1.ConditionStatus
	reason, message string
}

func (o opinion) equal(other opinion) bool {
	return o.generation == other.generation && o.ready == other.ready && o.inUse == other.inUse && o.signing == other.signing &&
		o.roots.Equal(other.roots) && reflect.DeepEqual(o.rotation, other.rotation)
}

// judge says what is to be said of a root, while that one signs.
func judge(r, signer *root, health issuer.Health) opinion {
	o := opinion{generation: r.object.Generation, ready: readiness(r), inUse: usage(r, signer)}
	if r.used() {
		o.roots = r.state.roots
	}
	o.signing = verdict{metav1.ConditionFalse, o.inUse.reason, "no certificate is signed with it"}
	if r.is(signer) {
		o.roots = o.roots.Union(signer.state.roots)
		o.signing = verdict{metav1.ConditionTrue, reasonSigning, "certificates are signed with it"}
		if health.Open && health.Root == r.object.Name && o.ready.status == metav1.ConditionTrue {
			o.ready = verdict{metav1.ConditionFalse, reasonFailing, bounded(health.Err.Error())}
		}
	}
	return o
}

func readiness(r *root) verdict {
	switch {
	case !r.used():
		return verdict{metav1.ConditionUnknown, string(r.object.Spec.Role), fmt.Sprintf("it is not asked while it is %s", r.object.Spec.Role)}
	case r.state.problem != nil:
		return verdict{metav1.ConditionFalse, r.state.problem.reason, bounded(r.state.problem.err.Error())}
	case r.authority.tried == r.state && r.authority.trial != nil:
		return verdict{metav1.ConditionFalse, r.authority.trial.reason, bounded(r.authority.trial.err.Error())}
	}
	reason, said := reasonReached, []string{"its roots are known"}
	if r.state.signs != "" {
		said = append(said, r.state.signs)
	}
	notices := r.state.notices
	if len(r.refused) > 0 {
		notices = append([]problem{{reasonRootsRefused, errors.New("it has others, which are not trusted, for the issuer of its role does not chain to them: " + nameRoots(r.refused))}}, notices...)
	}
	for i, notice := range notices {
		if said = append(said, notice.err.Error()); i == 0 {
			reason = notice.reason
		}
	}
	return verdict{metav1.ConditionTrue, reason, bounded(strings.Join(said, "; "))}
}

func usage(r, signer *root) verdict {
	role := r.object.Spec.Role
	switch {
	case r.is(signer) && role == v1.Active && signer.authority == r.authority:
		return verdict{metav1.ConditionTrue, reasonSigning, "certificates are signed with it"}
	case r.is(signer):
		return verdict{metav1.ConditionTrue, reasonSigning, "certificates are signed with it as it was, until another that is Active can"}
	case !r.used():
		return verdict{metav1.ConditionFalse, string(role), fmt.Sprintf("it is %s", role)}
	case r.state.roots.IsEmpty():
		return verdict{metav1.ConditionFalse, reasonUnknown, "its roots are not known"}
	case role == v1.Passive:
		return verdict{metav1.ConditionTrue, reasonTrusted, "it is Passive, and so trusted only"}
	case signer == nil:
		return verdict{metav1.ConditionFalse, reasonUnknown, "nothing signs yet"}
	case v1.ByAge(signer.object, r.object) < 0:
		return verdict{metav1.ConditionTrue, reasonSuperseded, fmt.Sprintf("%s is newer and signs; this one is trusted only", signer.object.Name)}
	}
	return verdict{metav1.ConditionTrue, reasonTrusted, fmt.Sprintf("it is trusted; %s signs until this one can", signer.object.Name)}
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
