package certmanager

import (
	"testing"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestALeftoverIsARequestWithoutAWaiter(t *testing.T) {
	i := &Issuer{options: Options{Holder: "me"}, watcher: &watcher{expected: map[string]chan *cmapi.CertificateRequest{}}}
	i.watcher.expect("awaited")
	now := time.Now()
	tests := map[string]struct {
		name, holder string
		age          time.Duration
		left         bool
	}{
		"mine that I wait for":                  {"awaited", "me", time.Second, false},
		"mine that I wait for, by a slow clock": {"awaited", "me", time.Hour, false},
		"mine of an earlier process":            {"unknown", "me", time.Second, true},
		"another's that it may wait for":        {"unknown", "another", maxTimeout + removeTimeout, false},
		"another's, by a clock that is ahead":   {"unknown", "another", -time.Minute, false},
		"another's that is old":                 {"unknown", "another", leftoverAge + time.Second, true},
		"one of no holder that is old":          {"unknown", "", leftoverAge + time.Second, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			request := &cmapi.CertificateRequest{ObjectMeta: metav1.ObjectMeta{
				Name: test.name, Labels: map[string]string{holderLabel: test.holder},
				CreationTimestamp: metav1.NewTime(now.Add(-test.age)),
			}}
			if left := i.left(request, now); left != test.left {
				t.Errorf("left %v", left)
			}
		})
	}
}
