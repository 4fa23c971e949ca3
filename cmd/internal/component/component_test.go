package component

import (
	"errors"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func parse(args ...string) (*Options, error) {
	o := &Options{}
	fs := flag.NewFlagSet("osm-test", flag.ContinueOnError)
	o.AddFlags(fs)
	return o, Parse(fs, args)
}

func TestOptionsHaveTheirDefaults(t *testing.T) {
	o, err := parse()
	if err != nil {
		t.Fatal(err)
	}
	if want := (Options{MeshName: "osm", Namespace: "osm-system", LogLevel: slog.LevelInfo}); *o != want {
		t.Errorf("options %+v, want %+v", *o, want)
	}
}

func TestOptionsAreTakenFromFlags(t *testing.T) {
	o, err := parse("-mesh-name=mine", "--namespace", "mesh", "-bind-address=127.0.0.1", "--log-level=debug")
	if err != nil {
		t.Fatal(err)
	}
	if want := (Options{MeshName: "mine", Namespace: "mesh", BindAddress: "127.0.0.1", LogLevel: slog.LevelDebug}); *o != want {
		t.Errorf("options %+v, want %+v", *o, want)
	}
}

func TestArgumentsThatAreWrongAreRefusedByName(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string
	}{
		"an unknown flag":                   {[]string{"-verbose"}, "-verbose"},
		"an argument that is no flag":       {[]string{"-mesh-name=osm", "extra"}, `unexpected argument "extra"`},
		"an unknown log level":              {[]string{"-log-level=loud"}, "-log-level"},
		"an empty namespace":                {[]string{"-namespace="}, "-namespace"},
		"a namespace that no one filled in": {[]string{"-namespace=$(POD_NAMESPACE)"}, "-namespace"},
		"an empty mesh name":                {[]string{"-mesh-name="}, "-mesh-name"},
		"a mesh name with a space":          {[]string{"-mesh-name=my mesh"}, "-mesh-name"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := parse(test.args...); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that names %s", err, test.want)
			}
		})
	}
}

func TestHelpIsNoMistake(t *testing.T) {
	if _, err := parse("-help"); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("error %v, want %v", err, flag.ErrHelp)
	}
}

func TestListenTakesAddressesOfBothFamilies(t *testing.T) {
	for address, want := range map[string]string{"": ":9091", "127.0.0.1": "127.0.0.1:9091", "::1": "[::1]:9091"} {
		if got := (&Options{BindAddress: address}).Listen(9091); got != want {
			t.Errorf("on %q it listens on %s, want %s", address, got, want)
		}
	}
}

func TestTheAPIServerIsThatOfKUBECONFIG(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kubeconfig")
	const kubeconfig = `{"apiVersion":"v1","kind":"Config","current-context":"test",
		"clusters":[{"name":"test","cluster":{"server":"https://127.0.0.1:6443"}}],
		"contexts":[{"name":"test","context":{"cluster":"test"}}]}`
	if err := os.WriteFile(file, []byte(kubeconfig), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", file)
	config, err := RESTConfig("osm-test")
	if err != nil {
		t.Fatal(err)
	}
	if config.Host != "https://127.0.0.1:6443" || config.UserAgent != "osm-test/"+Version() {
		t.Errorf("server %s, user agent %s", config.Host, config.UserAgent)
	}
	t.Setenv("KUBECONFIG", file+"-missing")
	if _, err := RESTConfig("osm-test"); err == nil || !strings.Contains(err.Error(), "find the Kubernetes API server") {
		t.Errorf("error %v", err)
	}
}
