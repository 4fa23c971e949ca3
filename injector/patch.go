package injector

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation"
)

// operation is one of a JSON Patch (RFC 6902).
type operation = jsonpatch.Operation

func add(path string, value any) operation {
	return operation{Operation: "add", Path: path, Value: value}
}

// entriesPatch adds entries to those that are there. "add" of a whole map is
// right for one that is absent, null or empty, and of one entry for no other:
// its parent must exist (RFC 6902 section 4.1).
func entriesPatch(path string, there, entries map[string]string) []operation {
	if len(entries) == 0 {
		return nil
	}
	if len(there) == 0 {
		return []operation{add(path, entries)}
	}
	var operations []operation
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		operations = append(operations, add(path+"/"+escape(key), entries[key]))
	}
	return operations
}

// listPatch adds items to a list of so many: first before them, last behind.
func listPatch[T any](path string, there int, first, last []T) []operation {
	items := slices.Concat(first, last)
	if there == 0 && len(items) > 0 {
		return []operation{add(path, items)}
	}
	var operations []operation
	for i, item := range first {
		operations = append(operations, add(path+"/"+strconv.Itoa(i), item))
	}
	for _, item := range last {
		operations = append(operations, add(path+"/-", item))
	}
	return operations
}

// escape makes key a token of a JSON pointer (RFC 6901 section 3).
func escape(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
}

// maxContainers is of each list of them, and of the volumes. A pod of as many
// would not fit on a node.
const maxContainers = 1000

// view is all of a pod that this package reads, and nothing else: of what is not
// here, no Go value is made. A whole corev1.Container is a hundred times as large
// as its text "{}" may be, and a quantity such as 1e-1000000 takes a CPU a third of
// a second. What a new field of the injector reads must be added here.
type view struct {
	Metadata struct {
		Name            string            `json:"name"`
		GenerateName    string            `json:"generateName"`
		Labels          map[string]string `json:"labels"`
		Annotations     map[string]string `json:"annotations"`
		OwnerReferences []ownerView       `json:"ownerReferences"`
	} `json:"metadata"`
	Spec struct {
		HostNetwork        bool                 `json:"hostNetwork"`
		OS                 *corev1.PodOS        `json:"os"`
		NodeSelector       map[string]string    `json:"nodeSelector"`
		ServiceAccountName string               `json:"serviceAccountName"`
		ServiceAccount     string               `json:"serviceAccount"` // its former name
		RestartPolicy      corev1.RestartPolicy `json:"restartPolicy"`
		SecurityContext    *userView            `json:"securityContext"`
		Resources          *resourcesView       `json:"resources"`
		ImagePullSecrets   []nameView           `json:"imagePullSecrets"`
		Volumes            []volumeView         `json:"volumes"`
		InitContainers     []containerView      `json:"initContainers"`
		Containers         []containerView      `json:"containers"`
	} `json:"spec"`
}

type ownerView struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	UID        string `json:"uid"`
	Controller bool   `json:"controller"`
}

type userView struct {
	RunAsUser *int64 `json:"runAsUser"`
}

type volumeView struct {
	Name      string `json:"name"`
	Projected *struct {
		Sources []sourceView `json:"sources"`
	} `json:"projected"`
}

type sourceView struct {
	ServiceAccountToken *struct {
		Audience string `json:"audience"`
	} `json:"serviceAccountToken"`
	ConfigMap *nameView `json:"configMap"`
}

type containerView struct {
	Name            string                         `json:"name"`
	RestartPolicy   *corev1.ContainerRestartPolicy `json:"restartPolicy"`
	SecurityContext *userView                      `json:"securityContext"`
	Ports           []corev1.ContainerPort         `json:"ports"`
	Resources       resourcesView                  `json:"resources"`
	VolumeMounts    []nameView                     `json:"volumeMounts"`
	LivenessProbe   *corev1.Probe                  `json:"livenessProbe"`
	ReadinessProbe  *corev1.Probe                  `json:"readinessProbe"`
	StartupProbe    *corev1.Probe                  `json:"startupProbe"`
	Lifecycle       *corev1.Lifecycle              `json:"lifecycle"`
}

type nameView struct {
	Name string `json:"name"`
}

// readPod reads of a pod's JSON what counts. The pod has nothing else.
func readPod(raw []byte) (*corev1.Pod, error) {
	if len(raw) == 0 {
		return nil, errors.New("decoding the pod: there is none")
	}
	v := &view{}
	if err := json.Unmarshal(raw, v); err != nil {
		return nil, fmt.Errorf("decoding the pod: %w", err)
	}
	for _, list := range []struct {
		field  string
		length int
	}{{"containers", len(v.Spec.Containers)}, {"initContainers", len(v.Spec.InitContainers)}, {"volumes", len(v.Spec.Volumes)}} {
		if list.length > maxContainers {
			return nil, fmt.Errorf("decoding the pod: spec.%s: %d entries: at most %d are taken", list.field, list.length, maxContainers)
		}
	}
	pod := v.pod()
	return pod, fitsBootstrap(pod)
}

// fitsBootstrap refuses what would be repeated many times before the API server
// refuses it: names of containers, and what their probes ask.
func fitsBootstrap(pod *corev1.Pod) error {
	total := 0
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			c := &containers[i]
			if len(c.Name) > validation.DNS1123SubdomainMaxLength {
				return fmt.Errorf("decoding the pod: the name of a container has %d bytes: at most %d are taken", len(c.Name), validation.DNS1123SubdomainMaxLength)
			}
			for _, q := range kubeletProbes(c) {
				total += len(c.Name) + q.bytes()
			}
		}
	}
	if total > maxBootstrapBytes {
		return fmt.Errorf("decoding the pod: what its probes and hooks ask has %d bytes: at most %d are taken", total, maxBootstrapBytes)
	}
	return nil
}

// bytes is how much of what q asks the sidecar is told.
func (q kubeletProbe) bytes() int {
	total := 0
	if q.handler != nil && q.handler.HTTPGet != nil {
		total += len(q.handler.HTTPGet.Path)
		for _, header := range q.handler.HTTPGet.HTTPHeaders {
			total += len(header.Name)
		}
	}
	if q.handler != nil && q.handler.GRPC != nil && q.handler.GRPC.Service != nil {
		total += len(*q.handler.GRPC.Service)
	}
	return total
}

func (v *view) pod() *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: v.Metadata.Name, GenerateName: v.Metadata.GenerateName,
			Labels: v.Metadata.Labels, Annotations: v.Metadata.Annotations,
		},
		Spec: corev1.PodSpec{
			HostNetwork: v.Spec.HostNetwork, OS: v.Spec.OS, NodeSelector: v.Spec.NodeSelector,
			// As API servers have it (Convert_v1_PodSpec_To_core_PodSpec), which send both.
			ServiceAccountName: cmp.Or(v.Spec.ServiceAccountName, v.Spec.ServiceAccount),
			RestartPolicy:      v.Spec.RestartPolicy,
			Volumes:            convertAll(v.Spec.Volumes, volumeView.volume),
			InitContainers:     convertAll(v.Spec.InitContainers, containerView.container),
			Containers:         convertAll(v.Spec.Containers, containerView.container),
		},
	}
	if owner := v.controller(); owner != nil {
		pod.OwnerReferences = []metav1.OwnerReference{*owner}
	}
	pod.Spec.ImagePullSecrets = convertAll(v.Spec.ImagePullSecrets, nameView.reference)
	if v.Spec.SecurityContext != nil {
		pod.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsUser: v.Spec.SecurityContext.RunAsUser}
	}
	if v.Spec.Resources != nil {
		pod.Spec.Resources = new(v.Spec.Resources.requirements())
	}
	return pod
}

func (v *view) controller() *metav1.OwnerReference {
	for _, o := range v.Metadata.OwnerReferences {
		if o.Controller {
			return &metav1.OwnerReference{APIVersion: o.APIVersion, Kind: o.Kind, Name: o.Name, UID: types.UID(o.UID), Controller: new(true)}
		}
	}
	return nil
}

func (v nameView) reference() corev1.LocalObjectReference {
	return corev1.LocalObjectReference{Name: v.Name}
}

func (v volumeView) volume() corev1.Volume {
	volume := corev1.Volume{Name: v.Name}
	if v.Projected != nil {
		volume.Projected = &corev1.ProjectedVolumeSource{Sources: convertAll(v.Projected.Sources, sourceView.source)}
	}
	return volume
}

func (v sourceView) source() (source corev1.VolumeProjection) {
	if v.ServiceAccountToken != nil {
		source.ServiceAccountToken = &corev1.ServiceAccountTokenProjection{Audience: v.ServiceAccountToken.Audience}
	}
	if v.ConfigMap != nil {
		source.ConfigMap = &corev1.ConfigMapProjection{LocalObjectReference: v.ConfigMap.reference()}
	}
	return source
}

func (v containerView) container() corev1.Container {
	c := corev1.Container{
		Name: v.Name, RestartPolicy: v.RestartPolicy, Ports: v.Ports, Resources: v.Resources.requirements(),
		VolumeMounts:  convertAll(v.VolumeMounts, func(m nameView) corev1.VolumeMount { return corev1.VolumeMount{Name: m.Name} }),
		LivenessProbe: v.LivenessProbe, ReadinessProbe: v.ReadinessProbe, StartupProbe: v.StartupProbe, Lifecycle: v.Lifecycle,
	}
	if v.SecurityContext != nil {
		c.SecurityContext = &corev1.SecurityContext{RunAsUser: v.SecurityContext.RunAsUser}
	}
	return c
}

// convertAll keeps nil apart from a list without entries.
func convertAll[From, To any](list []From, convert func(From) To) []To {
	if list == nil {
		return nil
	}
	converted := make([]To, len(list))
	for i, item := range list {
		converted[i] = convert(item)
	}
	return converted
}
