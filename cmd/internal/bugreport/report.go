package bugreport

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/osm-edge/osm/cmd/internal/check"
	"github.com/osm-edge/osm/cmd/internal/survey"
)

// Options say what goes into a report.
type Options struct {
	Survey *survey.Survey
	// Version is that of the program that writes it.
	Version string
	// Text prints what checks have found, as it is shown.
	Text func(check.Report) string
}

// writer writes one. What cannot be read is noted, and leaves the rest as it is:
// who needs a report has a cluster that is not well.
type writer struct {
	*archive
	survey   *survey.Survey
	problems []string
}

// Write writes a report, and returns what it could not read.
func Write(ctx context.Context, out io.Writer, o Options) (problems []string, err error) {
	snapshot, err := o.Survey.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	folder := "osm-bug-report-" + snapshot.Now.UTC().Format("20060102-150405")
	w := &writer{archive: newArchive(out, folder, snapshot.Now), survey: o.Survey}
	report := check.Run(snapshot)
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := w.add("check.json", text); err != nil {
		return nil, err
	}
	if err := w.add("check.txt", []byte(o.Text(report))); err != nil {
		return nil, err
	}
	for _, add := range []func(context.Context, *check.Snapshot) error{w.objects, w.secrets, w.pods, w.events, w.logs} {
		if err := add(ctx, snapshot); err != nil {
			return nil, err
		}
	}
	if err := w.versions(snapshot, o.Version); err != nil {
		return nil, err
	}
	if err := w.add("problems.txt", []byte(strings.Join(append(w.problems, ""), "\n"))); err != nil {
		return nil, err
	}
	return w.problems, w.close()
}

func (w *writer) problem(format string, args ...any) {
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

func (w *writer) versions(snapshot *check.Snapshot, version string) error {
	var text strings.Builder
	fmt.Fprintf(&text, "osm %s\n", version)
	if server, err := w.survey.Kube.Discovery().ServerVersion(); err != nil {
		w.problem("the version of the API server: %s", err)
	} else {
		fmt.Fprintf(&text, "kubernetes %s\n", server.GitVersion)
	}
	for _, name := range check.Components {
		if d := snapshot.Deployments[name]; d != nil {
			for _, container := range d.Spec.Template.Spec.Containers {
				fmt.Fprintf(&text, "%s %s\n", name, container.Image)
			}
		}
	}
	return w.add("versions.txt", []byte(text.String()))
}
