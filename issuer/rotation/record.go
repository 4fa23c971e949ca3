package rotation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/util/retry"

	"github.com/osm-edge/osm/manifests/mesh"
)

// ErrMalformed says that what is recorded cannot be read.
var ErrMalformed = errors.New("is malformed")

// Record is the mesh namespace's ConfigMap. It outlives every process and the
// root's Secret.
type Record struct {
	// ConfigMaps is the client of the mesh namespace.
	ConfigMaps typedcorev1.ConfigMapInterface
	// Labels are given to the ConfigMap.
	Labels map[string]string
}

// Read returns what is recorded; nothing is, before the first Advance. With
// ErrMalformed it returns what can be read.
func (r *Record) Read(ctx context.Context) (State, error) {
	cm, state, err := r.get(ctx)
	if errors.Is(err, ErrMalformed) {
		state = Salvage(cm.Data, time.Now())
	}
	return state, err
}

// Advance records the state that follows from what is recorded, and returns it.
// What is malformed follows as nothing does. What another replica writes at the
// same time is not overwritten: next is asked again then.
func (r *Record) Advance(ctx context.Context, next func(State) State) (State, error) {
	var after State
	err := retry.OnError(retry.DefaultBackoff, mesh.LostRace, func() error {
		cm, before, err := r.get(ctx)
		if err != nil && !errors.Is(err, ErrMalformed) {
			return err
		}
		after = next(before)
		return r.put(ctx, cm, after)
	})
	return after, err
}

// get returns a nil ConfigMap and the zero State where there is none. The
// ConfigMap is returned with ErrMalformed, too.
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
		return cm, State{}, fmt.Errorf("configmap %s/%s %w: %w; osm-controller writes it anew", cm.Namespace, cm.Name, ErrMalformed, err)
	}
	return cm, state, nil
}

func (r *Record) put(ctx context.Context, cm *corev1.ConfigMap, state State) error {
	data, err := state.encode()
	if err != nil {
		return err
	}
	if read, err := Parse(data); err != nil || !read.Equal(state) {
		return fmt.Errorf("%s is not written, as it could not be read back: %w", ConfigMapName, cmp.Or(err, errors.New("it would be another state")))
	}
	if cm == nil {
		meta := metav1.ObjectMeta{Name: ConfigMapName, Labels: r.Labels}
		_, err = r.ConfigMaps.Create(ctx, &corev1.ConfigMap{ObjectMeta: meta, Data: data}, metav1.CreateOptions{})
		return err
	}
	if maps.Equal(cm.Data, data) {
		return nil
	}
	if cm.Immutable != nil && *cm.Immutable {
		return fmt.Errorf("configmap %s/%s is immutable, so that no root can be replaced; to fix it, delete it: osm-controller writes it anew", cm.Namespace, cm.Name)
	}
	cm = cm.DeepCopy()
	cm.Data, cm.BinaryData = data, nil // a key may be in one of them alone
	_, err = r.ConfigMaps.Update(ctx, cm, metav1.UpdateOptions{})
	return err
}
