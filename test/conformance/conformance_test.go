// Package conformance holds the sidecars to the same expectations: the reference sidecar, and the Pipy that PIPY names
// with the mesh's scripts. Each runs as its container does, as another user in a network namespace of its own, with an
// SDS server, a peer and rules of the kernel that are real.
package conformance

import (
	"os"
	"path/filepath"
	"testing"
)

// expectations are what each sidecar meets. They get the path of its program.
var expectations = []struct {
	name string
	meet func(t *testing.T, program string)
}{
	{"refuses who is no peer", refusesWhoIsNoPeer},
	{"rotates under load", rotatesUnderLoad},
	{"outlives its control plane", outlivesItsControlPlane},
	{"trusts only its control plane", trustsOnlyItsControlPlane},
	{"ends when it is asked to", endsWhenItIsAskedTo},
	{"calls only who is expected", callsOnlyWhoIsExpected},
	{"fails no handshake while it takes secrets", failsNoHandshakeWhileItTakesSecrets},
	{"ends connections to the application with those of clients", endsConnectionsToTheApplicationWithThoseOfClients},
	{"answers probes as the application does", answersProbesAsTheApplicationDoes},
	{"rejects what it cannot use", rejectsWhatItCannotUse},
	{"finds osm-controller with any resolver of the pod", findsOSMControllerWhateverThePodsResolver},
	{"keeps its token from others", keepsItsTokenFromOthers},
	{"verifies each connection anew", verifiesEachConnectionAnew},
	{"ends connections with the root of their peer", endsConnectionsWithTheRootOfTheirPeer},
	{"keeps connections of a root that is replaced", keepsConnectionsOfARootThatIsReplaced},
	{"carries connections both ways", carriesConnectionsBothWays},
	{"keeps nothing of what strangers send", keepsNothingOfWhatStrangersSend},
	{"counts HTTP to ports that are not declared", countsHTTPToPortsThatAreNotDeclared},
	{"counts none without interception", countsNoneWithoutInterception},
	{"agrees to no upgrade to HTTP of a declared port", agreesToNoUpgradeToHTTPOfADeclaredPort},
}

func TestTheReferenceSidecar(t *testing.T) { conform(t, reference) }

func TestPipy(t *testing.T) { conform(t, pipyBinary) }

// isReference is for what is each sidecar's own: the words of an error, and whether a connection is reset or closed.
func isReference(program string) bool { return filepath.Base(program) == "sidecar" }

func conform(t *testing.T, sidecar func(testing.TB) string) {
	if os.Geteuid() != 0 {
		t.Skip("the sidecar has a user of its own, which takes root to become")
	}
	program := sidecar(t)
	for _, expectation := range expectations {
		t.Run(expectation.name, func(t *testing.T) {
			if isReference(program) {
				t.Parallel() // most of the time of these is waits
			}
			expectation.meet(t, program)
		})
	}
}
