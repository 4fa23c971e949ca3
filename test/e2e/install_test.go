//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/test/mesh"
)

func (tr *trial) install(ctx context.Context) (err error) {
	if _, err := tr.osm(ctx, append([]string{"install", "--atomic", "--timeout=2m"}, images()...)...); err != nil {
		return err
	}
	tr.root, err = tr.readRoot(ctx)
	return err
}

// images are the values that name those of the trial.
func images() []string {
	return []string{
		"--set", "osm.image.registry=" + registry + ",osm.image.tag=" + tag + ",osm.image.pullPolicy=" + string(corev1.PullNever),
		"--set", "osm.sidecarImage=" + imageOf("sidecar"),
	}
}

// bootstrapOnce runs the Deployment's own pod as a Job.
func (tr *trial) bootstrapOnce(ctx context.Context) error {
	before, err := tr.secretVersions(ctx)
	if err != nil {
		return err
	}
	d, err := tr.client.AppsV1().Deployments(mesh.Namespace).Get(ctx, "osm-bootstrap", metav1.GetOptions{})
	if err != nil {
		return err
	}
	pod := d.Spec.Template.Spec
	pod.RestartPolicy = corev1.RestartPolicyNever
	c := &pod.Containers[0]
	c.Args = append(c.Args, "--once")
	c.ReadinessProbe, c.LivenessProbe = nil, nil // it serves nothing
	_, err = tr.client.BatchV1().Jobs(mesh.Namespace).Create(ctx, &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "once"},
		Spec:       batchv1.JobSpec{BackoffLimit: new(int32(0)), Template: corev1.PodTemplateSpec{Spec: pod}},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if err := tr.kubectl(ctx, "wait", "job/once", "--for=condition=complete", "--timeout=1m", "-n", mesh.Namespace); err != nil {
		return err
	}
	after, err := tr.secretVersions(ctx)
	if err == nil && !maps.Equal(before, after) {
		err = fmt.Errorf("the secrets' versions were %v and are %v", before, after)
	}
	return err
}

// secretVersions returns the resource versions of the mesh's Secrets by name.
func (tr *trial) secretVersions(ctx context.Context) (map[string]string, error) {
	list, err := tr.client.CoreV1().Secrets(mesh.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	if len(list.Items) == 0 {
		return nil, errors.New("the mesh has no Secrets")
	}
	versions := map[string]string{}
	for _, s := range list.Items {
		versions[s.Name] = s.ResourceVersion
	}
	return versions, nil
}
