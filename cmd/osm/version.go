package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/cmd/internal/component"
)

// versionTimeout is how long osm version waits for a cluster.
const versionTimeout = 5 * time.Second

// versions is what osm version prints as JSON. Fields are only ever added.
type versions struct {
	Client     clientVersion      `json:"client"`
	Components []componentVersion `json:"components"`
	// Problem is why the cluster did not tell of components.
	Problem string `json:"problem,omitempty"`
}

type clientVersion struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// componentVersion is that of a Deployment of a mesh.
type componentVersion struct {
	Mesh      string `json:"mesh"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Version   string `json:"version"`
}

// versionOptions are the options of osm version.
type versionOptions struct {
	cluster    *cluster
	clientOnly bool
	output     string
}

func newVersionCommand() *cobra.Command {
	o := &versionOptions{cluster: newCluster()}
	command := &cobra.Command{
		Use:   "version",
		Short: "Print the version of osm, and of the meshes of the cluster",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return o.run(command.Context(), newTerminal(command.OutOrStdout()))
		},
	}
	o.cluster.addFlags(command)
	command.Flags().BoolVar(&o.clientOnly, "client", false, "do not ask the cluster")
	command.Flags().StringVarP(&o.output, "output", "o", "", "print json, or text if it is empty")
	return command
}

func (o *versionOptions) run(ctx context.Context, out *terminal) error {
	if o.output != "" && o.output != "json" {
		return fmt.Errorf("--output is %q: it can be json", o.output)
	}
	v := versions{
		Client:     clientVersion{component.Version(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH},
		Components: []componentVersion{},
	}
	if !o.clientOnly {
		var err error
		// That there is no cluster is not what was asked.
		if v.Components, err = o.cluster.componentVersions(ctx); err != nil {
			v.Problem = err.Error()
		}
	}
	if o.output == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(v)
	}
	v.tell(out)
	return nil
}

func (v versions) tell(out *terminal) {
	out.tell("osm %s (%s, %s)", v.Client.Version, v.Client.Go, v.Client.Platform)
	for _, c := range v.Components {
		out.tell("mesh %s, namespace %s: %s %s", cmp.Or(c.Mesh, "?"), c.Namespace, c.Name, cmp.Or(c.Version, "?"))
	}
	if v.Problem != "" {
		out.say(beware, "the version of the cluster is not known: %s", v.Problem)
	}
}

// componentVersions returns those of all meshes, by their labels.
func (c *cluster) componentVersions(ctx context.Context) ([]componentVersion, error) {
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	found := []componentVersion{}
	client, err := c.client()
	if err != nil {
		return found, err
	}
	list, err := client.AppsV1().Deployments("").List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=openservicemesh.io"})
	if err != nil {
		return found, err
	}
	for _, d := range list.Items {
		found = append(found, componentVersion{d.Labels["app.kubernetes.io/instance"], d.Namespace, d.Name, d.Labels["app.kubernetes.io/version"]})
	}
	return found, nil
}
