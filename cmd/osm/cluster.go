package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/osm-edge/osm/cmd/internal/check"
)

// defaultMeshNamespace is where the mesh is unless --osm-namespace says otherwise.
const defaultMeshNamespace = "osm-system"

// cluster is the one that a command is about, as kubectl's own flags name it.
type cluster struct {
	flags         *genericclioptions.ConfigFlags
	meshNamespace string
}

func newCluster() *cluster {
	none := (*string)(nil)
	flags := genericclioptions.NewConfigFlags(true)
	// What remains is what people type: --kubeconfig, --context, -n, --as and
	// --request-timeout. The rest belongs into a kubeconfig.
	flags.CacheDir, flags.ClusterName, flags.AuthInfoName, flags.APIServer, flags.TLSServerName = none, none, none, none, none
	flags.CAFile, flags.CertFile, flags.KeyFile, flags.BearerToken, flags.ImpersonateUID = none, none, none, none, none
	flags.Insecure, flags.DisableCompression, flags.Namespace = nil, nil, none
	return &cluster{flags: flags}
}

// withNamespace is for commands that -n means something to.
func (c *cluster) withNamespace() *cluster {
	c.flags.Namespace = new(string)
	return c
}

func (c *cluster) addFlags(command *cobra.Command) {
	c.flags.AddFlags(command.Flags())
	command.Flags().StringVar(&c.meshNamespace, "osm-namespace", defaultMeshNamespace, "the `namespace` that the mesh is installed in")
	if c.flags.Namespace == nil {
		command.Flags().FuncP("namespace", "n", "", func(string) error {
			return errors.New("it has no effect on this command; --osm-namespace names the namespace of the mesh")
		})
		// It fails only for a flag that is not there.
		_ = command.Flags().MarkHidden("namespace")
	}
	for _, flag := range []string{"namespace", "osm-namespace"} {
		// It fails only for a flag that is not there.
		_ = command.RegisterFlagCompletionFunc(flag, func(command *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			return c.completeNamespaces(command, nil, "")
		})
	}
}

// config returns how to reach the API server.
func (c *cluster) config() (*rest.Config, error) {
	config, err := c.flags.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("find the cluster: %w; name one with --kubeconfig, --context or KUBECONFIG", err)
	}
	// A person waits for it, and the API server has limits of its own.
	config.QPS, config.Burst = 100, 200
	return config, nil
}

// command is one of osm about the mesh in a namespace, for hints.
func command(namespace, command string) string {
	return (&check.Snapshot{Mesh: "osm", Namespace: namespace}).Command(command, false)
}

// command is one about a mesh that takes its name, too.
func (c *cluster) command(mesh, command string) string {
	return (&check.Snapshot{Mesh: mesh, Namespace: c.meshNamespace}).Command(command, true)
}

func (c *cluster) client() (kubernetes.Interface, error) {
	config, err := c.config()
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// namespace returns the one of -n, or that of the kubeconfig's context.
func (c *cluster) namespace() (string, error) {
	namespace, _, err := c.flags.ToRawKubeConfigLoader().Namespace()
	return namespace, err
}

const controllerName = "osm-controller"

// findController returns the pod of osm-controller that leads, or else one that
// is ready, or else one that runs: what is wrong with that one, it tells.
func findController(ctx context.Context, client kubernetes.Interface, namespace string) (*corev1.Pod, error) {
	pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + controllerName})
	if err != nil {
		return nil, fmt.Errorf("find osm-controller: %w", err)
	}
	leader, err := leaderOf(ctx, client, namespace)
	if err != nil {
		return nil, err
	}
	running := slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool {
		return pod.Status.Phase != corev1.PodRunning || pod.DeletionTimestamp != nil
	})
	if len(running) == 0 {
		return nil, fmt.Errorf("no osm-controller runs in namespace %q, of %d pods: install the mesh, see why its pods do not start, or name its namespace with --osm-namespace",
			namespace, len(pods.Items))
	}
	rank := func(pod corev1.Pod) int {
		switch {
		case pod.Name == leader && isReady(pod):
			return 0
		case isReady(pod):
			return 1
		}
		return 2
	}
	slices.SortStableFunc(running, func(a, b corev1.Pod) int { return rank(a) - rank(b) })
	return &running[0], nil
}

// leaderOf returns the name of the replica that holds the Lease; empty if none
// does, or if it may not be told.
func leaderOf(ctx context.Context, client kubernetes.Interface, namespace string) (string, error) {
	lease, err := client.CoordinationV1().Leases(namespace).Get(ctx, controllerName, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err) || apierrors.IsForbidden(err):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("find who leads: %w", err)
	case lease.Spec.HolderIdentity == nil:
		return "", nil
	}
	return *lease.Spec.HolderIdentity, nil
}

func isReady(pod corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
