package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	corev1 "k8s.io/api/core/v1"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// credentialTTL is longer than clusters live: a process gets its token when it starts and no other after that.
const credentialTTL = 24 * time.Hour

// command makes the container's command: its binary with the container's arguments and environment, told to listen on the
// pod's address alone. What can't be had without a kubelet is refused.
func (c *container) command(ctx context.Context) (command, error) {
	pod, address := c.pod.pod, loopback(c.pod.address).String()
	if _, err := probeURL(c.spec, address); err != nil {
		return command{}, err
	}
	variables, err := environment(pod, c.spec, c.pod.address.String())
	if err != nil {
		return command{}, err
	}
	log, dir := c.pod.node.plan.podLog(pod.Namespace, pod.Name), filepath.Join(c.pod.dir(), c.spec.Name)
	if err := c.prepare(ctx, dir, filepath.Dir(log)); err != nil {
		return command{}, err
	}
	var args []string
	for _, arg := range c.spec.Args {
		args = append(args, expand(arg, variables))
	}
	env := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + dir, "TMPDIR=" + dir,
		"HOSTNAME=" + pod.Name, "KUBECONFIG=" + filepath.Join(dir, "kubeconfig"),
	}
	for name, value := range variables {
		env = append(env, name+"="+value)
	}
	args = append(args, "--bind-address="+address)
	return command{name: pod.Name + "/" + c.spec.Name, path: c.binary, args: args, env: env, dir: dir, log: log}, nil
}

// prepare makes the directories of the process, and in its own a kubeconfig with a token of the pod's service account: the
// process has the rights of that and no others.
func (c *container) prepare(ctx context.Context, dir, logDir string) error {
	for _, d := range []string{dir, logDir} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	n := c.pod.node
	token, err := requestToken(ctx, n.client, c.pod.pod, nil, credentialTTL)
	if err != nil {
		return err
	}
	server, err := c.pod.apiServer()
	if err != nil {
		return err
	}
	return writeKubeconfig(filepath.Join(dir, "kubeconfig"), server, n.authority.cert, &clientcmdapi.AuthInfo{Token: token})
}

// environment are the variables of the container's env.
func environment(pod *corev1.Pod, container *corev1.Container, podIP string) (map[string]string, error) {
	if len(container.EnvFrom) > 0 {
		return nil, fmt.Errorf("container %s: envFrom is not supported for images that run as processes: use env", container.Name)
	}
	fields := map[string]string{
		"metadata.name":           pod.Name,
		"metadata.namespace":      pod.Namespace,
		"metadata.uid":            string(pod.UID),
		"spec.serviceAccountName": pod.Spec.ServiceAccountName,
		"status.podIP":            podIP,
	}
	variables := map[string]string{}
	for _, v := range container.Env {
		if v.ValueFrom == nil {
			variables[v.Name] = expand(v.Value, variables)
			continue
		}
		value, ok := "", false
		if v.ValueFrom.FieldRef != nil {
			value, ok = fields[v.ValueFrom.FieldRef.FieldPath]
		}
		if !ok {
			return nil, fmt.Errorf("container %s: env %s: valueFrom is supported for images that run as processes only as "+
				"fieldRef to the pod's name, namespace, uid, service account or IP", container.Name, v.Name)
		}
		variables[v.Name] = value
	}
	return variables, nil
}

var reference = regexp.MustCompile(`\$\$|\$\([-._a-zA-Z][-._a-zA-Z0-9]*\)`)

// expand replaces references to variables as the API's reference of Container.args has it: $(NAME) by the value, if there
// is one, and $$ by $.
func expand(s string, variables map[string]string) string {
	return reference.ReplaceAllStringFunc(s, func(match string) string {
		if match == "$$" {
			return "$"
		}
		if value, ok := variables[match[2:len(match)-1]]; ok {
			return value
		}
		return match
	})
}
