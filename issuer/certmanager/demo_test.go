package certmanager_test

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestTheDemosScriptPreparesWhatTheMeshNeeds(t *testing.T) {
	m := &mesh{namespace: "osm-demo"}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for range 2 { // it can be run again
		script := exec.CommandContext(ctx, "../../demo/deploy-cert-manager.sh")
		script.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "PATH="+binDir+":"+os.Getenv("PATH"),
			"K8S_NAMESPACE="+m.namespace, "CERT_MANAGER_MANIFEST=none")
		if out, err := script.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	m.grant(t)
	i := m.newIssuer(t, nil)
	_, err := i.Issue(t.Context(), newRequest(t), time.Hour)
	must(t, err)
}
