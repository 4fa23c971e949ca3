//go:build cli

package integration

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/test/mesh"
)

const plantedToken = "hvs.CAESIPLANTEDPLANTEDPLANTED"

func TestABugReportHasNoSecrets(t *testing.T) {
	t.Parallel()
	c, client := startMesh(t, nil)
	deploy(t, client, "books", "bookbuyer")
	plantSecrets(t, client)
	file := filepath.Join(t.TempDir(), "report.tar.gz")
	out, problem, code := osm(t, c.Kubeconfig(), "support", "bug-report", "-o", file)
	t.Logf("%s%s", out, problem)
	if code != 0 {
		t.Fatalf("exit code %d", code)
	}
	files := unpack(t, file)
	for _, name := range []string{
		"check.json", "check.txt", "versions.txt", "secrets.yaml", "pods.txt", "events.txt", "problems.txt", "objects/meshconfigs.yaml",
		"objects/meshrootcertificates.yaml", "objects/deployments.yaml", "objects/configmaps.yaml", "objects/mutatingwebhookconfigurations.yaml",
	} {
		if files[name] == nil {
			t.Errorf("there is no %s", name)
		}
	}
	var report checkReport
	if err := json.Unmarshal(files["check.json"], &report); err != nil || len(report.Checks) == 0 {
		t.Errorf("check.json: %v", err)
	}
	if root := encode(readRoot(t, client).Certificate); !bytes.Contains(files["objects/configmaps.yaml"], bytes.Split(root, []byte("\n"))[1]) {
		t.Error("the roots are not in it")
	}
	scan(t, client, files)
	t.Run("and overwrites nothing", func(t *testing.T) {
		if _, _, code := osm(t, c.Kubeconfig(), "support", "bug-report", "-o", file); code != 1 {
			t.Errorf("exit code %d", code)
		}
	})
}

// plantSecrets puts some where none should be: into an annotation and an Event.
func plantSecrets(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	key := string(getSecret(t, client, rootSecret).Data["private.key"])
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{"note": key, "token": plantedToken}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.AppsV1().Deployments(mesh.Namespace).Patch(t.Context(), "osm-injector", "application/merge-patch+json", patch, metav1.PatchOptions{})
	event := &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: "planted"}, EventTime: metav1.NewMicroTime(time.Now()), Reason: "Planted", Action: "Plant", Type: "Normal",
		ReportingController: "test/test", ReportingInstance: "test", Note: plantedToken + " " + key,
		Regarding: corev1.ObjectReference{Kind: "Namespace", Name: mesh.Namespace, Namespace: mesh.Namespace},
	}
	_, failed := client.EventsV1().Events(mesh.Namespace).Create(t.Context(), event, metav1.CreateOptions{})
	if err := errors.Join(err, failed); err != nil {
		t.Fatal(err)
	}
}

// scan looks for every private key and token of the cluster, in whatever form.
func scan(t *testing.T, client kubernetes.Interface, files map[string][]byte) {
	t.Helper()
	list, err := client.CoreV1().Secrets(metav1.NamespaceAll).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string][]byte{"the token of Vault": []byte(plantedToken)}
	for _, secret := range list.Items {
		for key, value := range secret.Data {
			if len(privateKeys(value)) > 0 {
				secrets[secret.Name+" in base64"] = []byte(base64.StdEncoding.EncodeToString(value))[60:100]
				secrets[secret.Name] = bytes.Split(value, []byte("\n"))[1]
			}
			if key == corev1.ServiceAccountTokenKey {
				secrets[secret.Name] = value
			}
		}
	}
	if len(secrets) < 9 {
		t.Fatalf("only %d secrets are looked for", len(secrets))
	}
	for name, text := range files {
		for what, secret := range secrets {
			if bytes.Contains(text, secret) {
				t.Errorf("%s has the secret %s", name, what)
			}
		}
		if len(privateKeys(text)) > 0 || bytes.Contains(text, []byte("PRIVATE KEY")) {
			t.Errorf("%s has a private key", name)
		}
	}
}

func unpack(t *testing.T, name string) map[string][]byte {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for archive := tar.NewReader(unzipped); ; {
		header, err := archive.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		_, inside, _ := strings.Cut(header.Name, "/")
		if files[inside], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}
