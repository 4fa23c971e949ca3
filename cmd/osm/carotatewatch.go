package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/osm-edge/osm/cmd/internal/check"
	"github.com/osm-edge/osm/cmd/internal/survey"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

const watchPause = 300 * time.Millisecond

// rotationWatch shows how a root is replaced, from what the mesh records.
type rotationWatch struct {
	out    *terminal
	survey *survey.Survey
	before rotation.State

	said    string // the last line
	step    rotation.Step
	started bool
	behind  v1.RotationStatus // the last that was known of the step distribute
}

// run ends when the former root is in use no more. What is recorded in between
// may be missed where it lasts shorter than a look: the end never is.
func (w *rotationWatch) run(ctx context.Context) error {
	for {
		done, err := w.look(ctx)
		if done || ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			w.say("cannot look at the mesh, and try again: %s", err)
		}
		timer := time.NewTimer(watchPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

func (w *rotationWatch) look(ctx context.Context) (done bool, err error) {
	snapshot := &check.Snapshot{Namespace: w.survey.Namespace}
	if err := w.survey.Progress(ctx, snapshot); err != nil {
		return false, err
	}
	if snapshot.Record == nil {
		return false, nil
	}
	state, err := rotation.Parse(snapshot.Record.Data)
	if err != nil {
		return false, err
	}
	fresh := slices.DeleteFunc(state.Bundle().Roots(), func(root *x509.Certificate) bool {
		return w.before.Bundle().Contains(root)
	})
	if len(fresh) == 0 {
		return false, nil
	}
	if !w.started {
		w.started = true
		for _, root := range fresh {
			w.line("new root %s\n  fingerprint sha256:%s\n  expires %s", root.Subject, trustbundle.Fingerprint(root), root.NotAfter.UTC().Format(time.RFC3339))
		}
	}
	return w.follow(snapshot, state), nil
}

func (w *rotationWatch) follow(snapshot *check.Snapshot, state rotation.State) (done bool) {
	step, _ := state.Step()
	status := rotationOf(snapshot.Roots)
	if step != w.step {
		w.enter(step)
	}
	switch {
	case step == rotation.Distribute && status.Step == string(step):
		w.behind = status
		w.say("  %d of %s acknowledged it%s", status.Acknowledged, countOf(int(status.Pods), "pod"), missing(status))
	case step == rotation.Sign && status.Step == string(step):
		w.say("  %d of %s replaced%s", status.Replaced, countOf(int(status.Certificates), "certificate"), heldBack(status))
	}
	if step == rotation.Distribute || step == rotation.Sign {
		return false
	}
	for _, root := range state.Bundle().Roots() {
		if end := state.Until(root); !end.IsZero() && w.before.Signing().Contains(root) {
			w.line("  %s is trusted until %s", root.Subject, end.UTC().Format(time.RFC3339))
		}
	}
	w.line("%s the root is replaced; nothing has to be restarted", w.out.mark(0, 0))
	return true
}

// enter says what a step is, and those before it that were too short to be seen.
func (w *rotationWatch) enter(step rotation.Step) {
	order := []rotation.Step{rotation.Idle, rotation.Distribute, rotation.Sign, rotation.Retire}
	for i := slices.Index(order, w.step) + 1; i <= slices.Index(order, step); i++ {
		if order[i-1] == rotation.Distribute {
			w.leaveDistribution()
		}
		w.step = order[i]
		w.describe(w.step)
	}
	w.step = step
}

func (w *rotationWatch) describe(step rotation.Step) {
	switch step {
	case rotation.Distribute:
		w.line("%s: it is sent to every proxy; the old root signs", w.out.in(bold, "distribute"))
	case rotation.Sign:
		w.line("%s: the new root signs, and certificates of the old one are replaced", w.out.in(bold, "sign"))
	case rotation.Retire:
		w.line("%s: nothing uses the old root any more", w.out.in(bold, "retire"))
	}
}

// leaveDistribution says what came of it: before the deadline, it ends when all
// pods have acknowledged the root, though that may not have been seen.
func (w *rotationWatch) leaveDistribution() {
	deadline := w.behind.Deadline
	switch {
	case w.behind.Pods == 0:
		w.say("  every pod that has to has acknowledged it")
	case deadline == nil || time.Now().Before(deadline.Time):
		w.say("  all of %s acknowledged it", countOf(int(w.behind.Pods), "pod"))
	case len(w.behind.Missing) > 0:
		w.line("%s pods that have not acknowledged the new root refuse their peers until they have: %s",
			w.out.mark(0, 1), strings.Join(w.behind.Missing, ", "))
	}
}

// line writes one that stays.
func (w *rotationWatch) line(format string, args ...any) {
	if w.said != "" && w.out.live {
		fmt.Fprintln(w.out)
	}
	w.said = ""
	fmt.Fprintf(w.out, format+"\n", args...)
}

// say writes a line that the next one replaces on a terminal.
func (w *rotationWatch) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if text == w.said {
		return
	}
	w.said = text
	if w.out.live {
		fmt.Fprintf(w.out, "\r\x1b[K%s", text)
		return
	}
	fmt.Fprintln(w.out, text)
}

func rotationOf(roots []v1.MeshRootCertificate) v1.RotationStatus {
	for _, root := range roots {
		if root.Status.Rotation != nil {
			return *root.Status.Rotation
		}
	}
	return v1.RotationStatus{}
}
