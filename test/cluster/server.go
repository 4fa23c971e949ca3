package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/osm-edge/osm/test/gobuild"
)

// ConsentNamespace has to be in a cluster that KUBECONFIG names for tests to use it: many machines have a KUBECONFIG,
// which leads to a cluster that is for something else.
const ConsentNamespace = "osm-tests"

// Server is an API server that a test may write to as an administrator: that of KUBECONFIG, or one of a Kubernetes of
// the test's own. The test has it alone until Stop.
type Server struct {
	config     *rest.Config
	kubeconfig string
	binDir     string
	stop       func() error
}

// Connect returns the API server of KUBECONFIG if that cluster has ConsentNamespace, and that of a cluster that it
// starts if not. It waits for other tests that use the first.
func Connect(ctx context.Context, log io.Writer) (*Server, error) {
	if kubeconfig := os.Getenv(clientcmd.RecommendedConfigPathEnvVar); kubeconfig != "" {
		s, err := connect(ctx, kubeconfig)
		if err != nil {
			return nil, fmt.Errorf("using the cluster of KUBECONFIG=%s, without which tests start their own: %w", kubeconfig, err)
		}
		if s != nil {
			fmt.Fprintf(log, "the API server is %s, of KUBECONFIG\n", s.config.Host)
			return s, nil
		}
		fmt.Fprintf(log, "the cluster of KUBECONFIG has no namespace %s: tests start their own\n", ConsentNamespace)
	}
	c, err := Start(ctx, Options{Log: log})
	if err != nil {
		return nil, err
	}
	return &Server{config: c.config, kubeconfig: c.Kubeconfig(), binDir: c.BinDir(), stop: c.Stop}, nil
}

// connect returns nil if the cluster is not for tests.
func connect(ctx context.Context, kubeconfig string) (*Server, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	client, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	namespaces := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"})
	if _, err := namespaces.Get(ctx, ConsentNamespace, metav1.GetOptions{}); apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(config.Host))
	lock, err := gobuild.Lock(ctx, filepath.Join(os.TempDir(), "osm-tests-"+hex.EncodeToString(sum[:6])+".lock"))
	if err != nil {
		return nil, err
	}
	before, err := clusterWide(ctx, client)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s := &Server{config: config, kubeconfig: kubeconfig}
	if kubectl, err := exec.LookPath("kubectl"); err == nil {
		s.binDir = filepath.Dir(kubectl)
	}
	s.stop = sync.OnceValue(func() error {
		return errors.Join(removeSince(context.WithoutCancel(ctx), client, before), lock.Close())
	})
	return s, nil
}

// Kubeconfig is the path of an administrator's kubeconfig.
func (s *Server) Kubeconfig() string { return s.kubeconfig }

// Config is what Kubeconfig holds, as a copy, without a limit of the client's own on requests.
func (s *Server) Config() *rest.Config { return rest.CopyConfig(s.config) }

// BinDir is the directory of kubectl; empty if there is none.
func (s *Server) BinDir() string { return s.binDir }

// Stop ends the cluster, or removes from that of KUBECONFIG what belongs to no namespace and was not there before, and
// the namespaces with all in them. It may be called again, with the same result.
func (s *Server) Stop() error { return s.stop() }

// kinds are those that belong to no namespace and that tests create, in the order of their removal.
var kinds = []schema.GroupVersionResource{
	{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingwebhookconfigurations"},
	{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"},
	{Version: "v1", Resource: "namespaces"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterrolebindings"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"},
	{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"},
}

// clusterWide returns the names of what there is of kinds.
func clusterWide(ctx context.Context, client metadata.Interface) (map[schema.GroupVersionResource]sets.Set[string], error) {
	all := map[schema.GroupVersionResource]sets.Set[string]{}
	for _, kind := range kinds {
		list, err := client.Resource(kind).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		all[kind] = sets.New[string]()
		for _, object := range list.Items {
			all[kind].Insert(object.Name)
		}
	}
	return all, nil
}

// removeSince deletes what was not there before, and returns when it is gone.
func removeSince(ctx context.Context, client metadata.Interface, before map[schema.GroupVersionResource]sets.Set[string]) error {
	return await(ctx, "the removal of what the test created", nil, func(ctx context.Context) error {
		now, err := clusterWide(ctx, client)
		if err != nil {
			return err
		}
		var left []string
		for _, kind := range kinds {
			for name := range now[kind].Difference(before[kind]) {
				left = append(left, kind.Resource+"/"+name)
				if err := client.Resource(kind).Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
					return err
				}
			}
		}
		if len(left) > 0 {
			return fmt.Errorf("%q are still there", left)
		}
		return nil
	})
}
