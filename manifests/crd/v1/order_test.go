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

func TestTheNewestActiveOneIsToSign(t *testing.T) {
	at := func(name string, second int64, role Role, ending bool) MeshRootCertificate {
		one := MeshRootCertificate{Spec: MeshRootCertificateSpec{Role: role}}
		one.Name, one.CreationTimestamp = name, metav1.NewTime(time.Unix(second, 0))
		if ending {
			one.DeletionTimestamp = &metav1.Time{Time: time.Unix(9, 0)}
		}
		return one
	}
	tests := map[string]struct {
		objects []MeshRootCertificate
		want    string
	}{
		"none":                            {nil, ""},
		"none that is Active":             {[]MeshRootCertificate{at("a", 1, Passive, false), at("b", 2, Revoked, false)}, ""},
		"the newest":                      {[]MeshRootCertificate{at("a", 1, Active, false), at("c", 3, Active, false), at("b", 2, Active, false)}, "c"},
		"the last by name of one second":  {[]MeshRootCertificate{at("a", 1, Active, false), at("b", 1, Active, false)}, "b"},
		"not a newer one that is Passive": {[]MeshRootCertificate{at("a", 1, Active, false), at("b", 2, Passive, false)}, "a"},
		"not a newer one being deleted":   {[]MeshRootCertificate{at("b", 2, Active, true), at("a", 1, Active, false)}, "a"},
		"the only one, being deleted":     {[]MeshRootCertificate{at("a", 1, Active, true), at("b", 2, Inactive, false)}, "a"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := ""
			if one := NewestActive(test.objects); one != nil {
				got = one.Name
			}
			if got != test.want {
				t.Errorf("it is %q, not %q", got, test.want)
			}
		})
	}
}
