package main

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// managed is an entry of a manager, its operation and maybe a subresource.
func managed(who, fields string) metav1.ManagedFieldsEntry {
	words := strings.Fields(who + "  ")
	entry := metav1.ManagedFieldsEntry{Manager: words[0], Operation: metav1.ManagedFieldsOperationType(words[1]), FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fields)}
	if len(words) > 2 {
		entry.Subresource = words[2]
	}
	return entry
}

func TestHelmTakesOverWhatTheChartSets(t *testing.T) {
	const (
		both    = `{"f:metadata":{"f:annotations":{"f:meta.helm.sh/release-name":{}}},"f:spec":{"f:replicas":{},"f:strategy":{}}}`
		added   = `{"f:spec":{"f:added":{}}}`
		chart   = `{"f:spec":{"f:replicas":{},"f:strategy":{}}}`
		bundle  = `{"f:webhooks":{"k:{\"name\":\"a\"}":{"f:clientConfig":{"f:caBundle":{}}}}}`
		scaling = `{"f:spec":{"f:replicas":{}}}`
	)
	tests := map[string]struct {
		before []metav1.ManagedFieldsEntry
		whole  bool
		want   []string // manager, operation, and a field that it has after it
	}{
		"Helm's own":                                  {[]metav1.ManagedFieldsEntry{managed("helm Apply", both)}, false, []string{"helm Apply strategy"}},
		"Helm's of the client's side":                 {[]metav1.ManagedFieldsEntry{managed("helm Update", both)}, false, []string{"helm Apply strategy"}},
		"those of an osm that had another name":       {[]metav1.ManagedFieldsEntry{managed("osm-linux Apply", both), managed("helm Apply", added)}, false, []string{"helm Apply strategy", "helm Apply added"}},
		"kubectl's of what the chart sets":            {[]metav1.ManagedFieldsEntry{managed("helm Apply", both), managed("kubectl-edit Update", chart)}, false, []string{"helm Apply strategy"}},
		"kubectl's of what it adds":                   {[]metav1.ManagedFieldsEntry{managed("helm Apply", both), managed("kubectl-edit Update", added)}, false, []string{"helm Apply strategy", "kubectl-edit Update added"}},
		"kubectl's where nothing by hand is to stay":  {[]metav1.ManagedFieldsEntry{managed("helm Apply", both), managed("kubectl-edit Update", added)}, true, []string{"helm Apply strategy", "helm Apply added"}},
		"the replicas of who scales":                  {[]metav1.ManagedFieldsEntry{managed("helm Apply", added), managed("kubectl Update scale", scaling)}, false, []string{"helm Apply added", "kubectl Update replicas"}},
		"the caBundle of osm-bootstrap":               {[]metav1.ManagedFieldsEntry{managed("helm Apply", both), managed("osm-bootstrap Update", bundle)}, true, []string{"helm Apply strategy", "osm-bootstrap Update caBundle"}},
		"a caBundle that was applied with the object": {[]metav1.ManagedFieldsEntry{managed("helm Update", bundle), managed("helm Apply", both)}, false, []string{"helm Apply strategy"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			set := &fieldpath.Set{}
			if err := set.FromJSON(strings.NewReader(chart)); err != nil {
				t.Fatal(err)
			}
			if test.whole {
				set = nil
			}
			after, changed, err := takenOver(test.before, set)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, entry := range after {
				for _, field := range []string{"strategy", "added", "caBundle", "replicas"} {
					if strings.Contains(entry.FieldsV1.GetRawString(), `"f:`+field+`"`) && (field != "replicas" || entry.Subresource != "") {
						got = append(got, entry.Manager+" "+string(entry.Operation)+" "+field)
					}
				}
			}
			slices.Sort(got)
			slices.Sort(test.want)
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if again, more, err := takenOver(after, set); more || err != nil {
				t.Errorf("a second time it changes %v to %v: %v", after, again, err)
			}
			if alone := len(test.before) == 1 && test.before[0].Operation == metav1.ManagedFieldsOperationApply; changed == alone && !slices.Contains([]string{"the replicas of who scales", "the caBundle of osm-bootstrap", "kubectl's of what it adds"}, name) {
				t.Errorf("it says that something changed: %t", changed)
			}
		})
	}
}
