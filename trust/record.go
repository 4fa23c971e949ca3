package trust

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/util/retry"
)

// Record is the mesh namespace's ConfigMap. It outlives every process and the
// root's Secret.
type Record struct {
	// ConfigMaps is the client of the mesh namespace.
	ConfigMaps typedcorev1.ConfigMapInterface
	// Labels are given to the ConfigMap.
	Labels map[string]string
}

// Read returns what is recorded; nothing is, before the first Advance.
func (r *Record) Read(ctx context.Context) (State, error) {
	_, state, err := r.get(ctx)
	return state, err
}

// Advance records the state that follows from what is recorded, and returns it.
// Whoever writes at the same time is not overwritten: next is asked again then.
func (r *Record) Advance(ctx context.Context, next func(State) State) (State, error) {
	var after State
	err := retry.OnError(retry.DefaultBackoff, lostRace, func() error {
		cm, before, err := r.get(ctx)
		if err != nil {
			return err
		}
		after = next(before)
		return r.put(ctx, cm, after)
	})
	return after, err
}

func lostRace(err error) bool { return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) }

// get returns a nil ConfigMap and the zero State where there is none.
func (r *Record) get(ctx context.Context) (*corev1.ConfigMap, State, error) {
	cm, err := r.ConfigMaps.Get(ctx, ConfigMapName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, State{}, nil
	}
	if err != nil {
		return nil, State{}, err
	}
	state, err := Parse(cm.Data)
	if err != nil {
		return nil, State{}, fmt.Errorf("configmap %s/%s is malformed: %w; to mend it, delete it", cm.Namespace, cm.Name, err)
	}
	return cm, state, nil
}

func (r *Record) put(ctx context.Context, cm *corev1.ConfigMap, state State) error {
	data, err := state.encode()
	if err != nil {
		return err
	}
	if cm == nil {
		meta := metav1.ObjectMeta{Name: ConfigMapName, Labels: r.Labels}
		_, err = r.ConfigMaps.Create(ctx, &corev1.ConfigMap{ObjectMeta: meta, Data: data}, metav1.CreateOptions{})
		return err
	}
	if maps.Equal(cm.Data, data) {
		return nil
	}
	cm = cm.DeepCopy()
	cm.Data = data
	_, err = r.ConfigMaps.Update(ctx, cm, metav1.UpdateOptions{})
	return err
}
