package rotation

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestTheReportsAreCountedBesideThePodsThereAre(t *testing.T) {
	first, second := newCA(t), newCA(t)
	n := Situation{Now: time.Now(), AckTimeout: ackTimeout, RetirementPeriod: retirementPeriod}
	state := State{}.Next(first.wanted("root"), n).Next(second.wanted("root"), n)
	bundle, signing := state.Bundle().Digest(), state.Signing().Digest()
	now := n.Now
	since := now.Add(-time.Hour)
	before := first.bundle.Digest()

	running := func(names ...string) (pods []*corev1.Pod) {
		for _, name := range names {
			pods = append(pods, pod(name, types.UID(name)))
		}
		return pods
	}
	acked := func(names ...string) (set podSet) {
		for _, name := range names {
			set = append(set, keyOf(types.UID(name)))
		}
		return set
	}
	completed, leaving, overdue := pod("completed", "completed"), pod("leaving", "leaving"), pod("overdue", "overdue")
	completed.Status.Phase = corev1.PodSucceeded
	leaving.DeletionTimestamp = &metav1.Time{Time: now.Add(time.Minute)}
	overdue.DeletionTimestamp = &metav1.Time{Time: now.Add(-time.Minute)}

	tests := map[string]struct {
		pods             []*corev1.Pod
		reports          map[string]sighting
		missing, lagging []string
		acknowledged     bool
		reissued         bool
	}{
		"no pods and one replica": {
			reports:      map[string]sighting{"osm-acknowledged-a": {report{Bundle: bundle, Signing: signing}, now}},
			acknowledged: true, reissued: true,
		},
		"no replica": {},
		"all pods, each on one of two replicas": {
			pods: running("a", "b"),
			reports: map[string]sighting{
				"osm-acknowledged-a": {report{Bundle: bundle, Signing: signing, Current: 1, Total: 1, pods: acked("a")}, now},
				"osm-acknowledged-b": {report{Bundle: bundle, Signing: signing, Current: 1, Total: 1, pods: acked("b")}, now},
			},
			acknowledged: true, reissued: true,
		},
		"a pod is missing, and a certificate": {
			pods:    running("a", "b"),
			reports: map[string]sighting{"osm-acknowledged-a": {report{Bundle: bundle, Signing: signing, Current: 1, Total: 2, pods: acked("a")}, now}},
			missing: []string{"shop/b"},
		},
		"acknowledged is the former bundle": {
			pods:    running("a"),
			reports: map[string]sighting{"osm-acknowledged-a": {report{Bundle: before, pods: acked("a")}, now}},
			missing: []string{"shop/a"}, lagging: []string{"a"},
		},
		"a replica that is silent told before what counts": {
			pods: running("a"),
			reports: map[string]sighting{
				"osm-acknowledged-a": {report{Bundle: bundle, Signing: signing}, now},
				"osm-acknowledged-b": {report{Bundle: bundle, Signing: before, pods: acked("a")}, now.Add(-time.Minute)},
			},
			acknowledged: true, reissued: true,
		},
		"another signs with the former root": {
			reports:      map[string]sighting{"osm-acknowledged-a": {report{Bundle: bundle, Signing: second.bundle.Digest()}, now}},
			acknowledged: true,
		},
		"pods that have ended or should have": {
			pods:         []*corev1.Pod{completed, leaving, overdue},
			reports:      map[string]sighting{"osm-acknowledged-a": {report{Bundle: bundle, Signing: signing, pods: acked("leaving")}, now}},
			acknowledged: true, reissued: true,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := count(state, test.pods, test.reports, since, now)
			if !slices.Equal(got.missing, test.missing) || !slices.Equal(got.lagging, test.lagging) {
				t.Errorf("missing are %q, lagging %q", got.missing, got.lagging)
			}
			if got.acknowledged() != test.acknowledged || got.reissued() != test.reissued {
				t.Errorf("acknowledged: %t, reissued: %t", got.acknowledged(), got.reissued())
			}
		})
	}
}

func TestAReportIsReadAsItWasWritten(t *testing.T) {
	want := report{Bundle: "b", Signing: "s", Current: 1, Total: 2, Heartbeat: time.Now().UTC().Truncate(time.Second), pods: podSet{1, 2, 1 << 63}}
	cm := &corev1.ConfigMap{}
	must(t, want.fill(cm))
	got, err := parseReport(cm)
	must(t, err)
	if !got.says(want) || !got.Heartbeat.Equal(want.Heartbeat) {
		t.Errorf("read %+v, want %+v", got, want)
	}
	cm.Data[reportKey] = "garbage"
	if _, err := parseReport(cm); err == nil {
		t.Error("garbage is taken")
	}
}

func TestAReportOfFiftyThousandPodsFitsIntoAConfigMap(t *testing.T) {
	if size := len(make(podSet, 50_000).encode()); size > 500<<10 {
		t.Errorf("it takes %d bytes", size)
	}
}
