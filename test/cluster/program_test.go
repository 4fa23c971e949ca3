package cluster_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/osm-edge/osm/test/cluster"
)

// programVariable makes the test binary one of the programs below: the image that the tests' pods run.
const programVariable = "CLUSTER_TEST_PROGRAM"

func runProgram(name string, args []string) error {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	address := flags.String("bind-address", "", "where to listen")
	code := flags.Int("exit-code", 0, "of the program exit")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch name {
	case "server":
		return serve(*address)
	case "webhook":
		return serveWebhook(*address)
	case "exit":
		fmt.Println("leaving with", *code)
		os.Exit(*code)
	case "deaf":
		signal.Ignore(syscall.SIGTERM)
		return serve(*address)
	case "parent":
		return beParent()
	}
	return fmt.Errorf("no program %q", name)
}

// account is what the server tells of itself.
type account struct {
	PID       int
	Pod       string
	User      string // whom the API server takes it for
	Forbidden string // what the API server answers when it reaches for a Secret
	Expanded  string
}

// serve answers /ready, and / with its account.
func serve(address string) error {
	fmt.Println("serving")
	mux := http.NewServeMux()
	mux.HandleFunc("/ready", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		a, err := describe(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		if err := json.NewEncoder(w).Encode(a); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	})
	return http.ListenAndServe(net.JoinHostPort(address, "8080"), mux)
}

func describe(ctx context.Context) (account, error) {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return account{}, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return account{}, err
	}
	review, err := client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return account{}, err
	}
	_, err = client.CoreV1().Secrets(os.Getenv("NAMESPACE")).List(ctx, metav1.ListOptions{})
	return account{
		PID: os.Getpid(), Pod: os.Getenv("POD"), User: review.Status.UserInfo.Username,
		Forbidden: fmt.Sprint(err), Expanded: os.Getenv("EXPANDED"),
	}, nil
}

// serveWebhook admits what isn't called forbidden.
func serveWebhook(address string) error {
	certificate, err := tls.X509KeyPair([]byte(os.Getenv("CERTIFICATE")), []byte(os.Getenv("KEY")))
	if err != nil {
		return err
	}
	server := &http.Server{
		Addr:      net.JoinHostPort(address, "8443"),
		Handler:   http.HandlerFunc(review),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13},
	}
	return server.ListenAndServeTLS("", "")
}

func review(w http.ResponseWriter, r *http.Request) {
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	review.Response = &admissionv1.AdmissionResponse{
		UID:     review.Request.UID,
		Allowed: !strings.HasPrefix(review.Request.Name, "forbidden"),
		Result:  &metav1.Status{Message: "a name that the webhook forbids"},
	}
	if err := json.NewEncoder(w).Encode(review); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// beParent starts a cluster, tells its directory, and stops it when its standard input ends.
func beParent() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c, err := cluster.Start(context.Background(), cluster.Options{Images: map[string]string{"localhost/program": self}})
	if err != nil {
		return err
	}
	fmt.Println(c.Kubeconfig())
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return c.Stop()
}
