package v1

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestTheNewestIsTheFirstAndOfOneSecondTheLastByName(t *testing.T) {
	at := func(name string, second int64) *MeshRootCertificate {
		return &MeshRootCertificate{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(time.Unix(second, 0))}}
	}
	all := []*MeshRootCertificate{at("a", 2), at("z", 1), at("b", 2), at("c", 3)}
	slices.SortFunc(all, ByAge)
	var names string
	for _, one := range all {
		names += one.Name
	}
	if names != "cbaz" {
		t.Errorf("the order is %s", names)
	}
}
