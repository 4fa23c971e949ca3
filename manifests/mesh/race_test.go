package mesh

import (
	"errors"
	"fmt"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestAWriteThatAnotherClientWasFasterWithLostARace(t *testing.T) {
	kind := schema.GroupResource{Resource: "secrets"}
	tests := map[string]struct {
		err  error
		want bool
	}{
		"none":                    {nil, false},
		"updated meanwhile":       {apierrors.NewConflict(kind, "a", errors.New("modified")), true},
		"created meanwhile":       {apierrors.NewAlreadyExists(kind, "a"), true},
		"within another error":    {fmt.Errorf("write: %w", apierrors.NewConflict(kind, "a", nil)), true},
		"deleted meanwhile":       {apierrors.NewNotFound(kind, "a"), false},
		"not an API server's one": {errors.New("refused"), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := LostRace(test.err); got != test.want {
				t.Errorf("%v: %t", test.err, got)
			}
		})
	}
}
