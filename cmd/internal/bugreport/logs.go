package bugreport

import (
	"context"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/cmd/internal/check"
	"github.com/osm-edge/osm/manifests"
)

const (
	// mostLog is how much is taken of the end of a container's log.
	mostLog = 2 << 20
	// mostLines bounds what is read for it.
	mostLines = 20000
)

// logs takes those of the control plane, also of containers that ended before.
func (w *writer) logs(ctx context.Context, snapshot *check.Snapshot) error {
	var pods []corev1.Pod
	err := w.survey.EachPod(ctx, snapshot.Namespace, manifests.Owned(snapshot.Mesh).String(), func(pod *corev1.Pod) { pods = append(pods, *pod) })
	if err != nil {
		w.problem("logs: %s", err)
	}
	for _, pod := range pods {
		for _, status := range pod.Status.ContainerStatuses {
			if err := w.log(ctx, &pod, status.Name, false); err != nil {
				return err
			}
			if status.RestartCount > 0 {
				if err := w.log(ctx, &pod, status.Name, true); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (w *writer) log(ctx context.Context, pod *corev1.Pod, container string, previous bool) error {
	name := fmt.Sprintf("logs/%s.%s.log", pod.Name, container)
	if previous {
		name = fmt.Sprintf("logs/%s.%s.previous.log", pod.Name, container)
	}
	options := &corev1.PodLogOptions{Container: container, Previous: previous, TailLines: new(int64(mostLines))}
	stream, err := w.survey.Kube.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, options).Stream(ctx)
	if err != nil {
		w.problem("%s: %s", name, err)
		return nil
	}
	defer stream.Close()
	text, err := tail(stream, mostLog)
	if err != nil {
		w.problem("%s: %s", name, err)
	}
	return w.add(name, text)
}

// tail returns the end of a stream.
func tail(r io.Reader, most int) ([]byte, error) {
	var kept []byte
	part := make([]byte, 64<<10)
	for {
		n, err := r.Read(part)
		if kept = append(kept, part[:n]...); len(kept) > 2*most {
			kept = append(kept[:0], kept[len(kept)-most:]...)
		}
		if err == io.EOF {
			return kept[max(0, len(kept)-most):], nil
		}
		if err != nil {
			return kept[max(0, len(kept)-most):], err
		}
	}
}
