package injector

import (
	"encoding/json"
	"testing"

	jsonpatch "github.com/evanphx/json-patch"
	"github.com/google/go-cmp/cmp"
)

func applied(t *testing.T, document []byte, operations any) []byte {
	t.Helper()
	encoded, err := json.Marshal(operations)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := jsonpatch.DecodePatch(encoded)
	if err != nil {
		t.Fatal(err)
	}
	result, err := decoded.Apply(document)
	if err != nil {
		t.Fatalf("applying %s: %v", encoded, err)
	}
	return result
}

func TestThePatchMakesOfThePodWhatMutateMakesOfACopy(t *testing.T) {
	for _, sample := range corpus(t) {
		mutated := mutateForTest(t, sample.pod)
		patched := applied(t, sample.json, patch(sample.pod, mutated))
		if diff := cmp.Diff(mutated, podOf(t, patched)); diff != "" {
			t.Errorf("%s: -mutated +patched:\n%s", sample.file, diff)
		}
	}
}

func TestThePatchKeepsFieldsThatThisVersionDoesNotKnow(t *testing.T) {
	var found int
	for _, sample := range corpus(t) {
		if sample.file != "testdata/unknown-fields.yaml" {
			continue
		}
		found++
		var pod struct {
			Spec struct {
				FieldOfTomorrow any
				Containers      []struct{ AnotherOfTomorrow any }
			}
		}
		patched := applied(t, sample.json, patch(sample.pod, mutateForTest(t, sample.pod)))
		if err := json.Unmarshal(patched, &pod); err != nil {
			t.Fatal(err)
		}
		if pod.Spec.FieldOfTomorrow == nil || pod.Spec.Containers[0].AnotherOfTomorrow == nil {
			t.Errorf("lost: %s", patched)
		}
	}
	if found != 1 {
		t.Error("the sample is gone")
	}
}

func TestThereIsNoPatchBetweenEqualPods(t *testing.T) {
	for _, sample := range corpus(t) {
		if operations := patch(sample.pod, sample.pod.DeepCopy()); len(operations) > 0 {
			t.Errorf("%s: %v", sample.file, operations)
		}
	}
}

func TestKeysAreEscapedAsJSONPointers(t *testing.T) {
	before := map[string]string{"kept": "1", "a/b~c": "old"}
	after := map[string]string{"kept": "1", "a/b~c": "new", "~1": "x"}
	operations := entriesPatch("/labels", before, after)
	document, err := json.Marshal(map[string]any{"labels": before})
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Labels map[string]string }
	if err := json.Unmarshal(applied(t, document, operations), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(after, got.Labels); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(operations) != 2 {
		t.Errorf("%d operations: %v", len(operations), operations)
	}
}
