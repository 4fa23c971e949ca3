package rotation

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// most is how many names an announcement has.
const most = 10

// Announcement is what a mesh's operator is told, as by an Event.
type Announcement struct {
	// Reason is one word, as RootDistributed.
	Reason  string
	Warning bool
	// Source is the authority that it is about.
	Source string
	Note   string
}

// announce tells what has become another between two states.
func (r *Rotation) announce(ctx context.Context, before, after State, t tally) {
	if before.Bundle().IsEmpty() {
		return // the first root replaces none
	}
	for _, a := range changes(before, after, t, r.AckTimeout) {
		r.Logger.Info("rotation of roots", "reason", a.Reason, "authority", a.Source, "note", a.Note)
		r.Announce(ctx, a)
	}
}

// announceWaiting tells of roots that are wanted and not distributed yet.
func (r *Rotation) announceWaiting(ctx context.Context, state State, wanted Wanted) {
	waiting := state.Waiting(wanted)
	news := added(r.waiting, waiting)
	r.waiting = waiting
	for _, root := range news {
		a := Announcement{
			Reason: "RootWaits", Warning: true, Source: wanted.Source(root.certificate),
			Note: fmt.Sprintf("root %s is not distributed yet: %d roots are trusted already, and %d are the most. %s", root, len(state.Bundle().Roots()), MaxRoots, room(state)),
		}
		r.Logger.Warn("rotation of roots", "reason", a.Reason, "authority", a.Source, "note", a.Note)
		r.Announce(ctx, a)
	}
}

// room tells how there will be room for another root.
func room(state State) string {
	if next := state.NextDropped(); !next.IsZero() {
		return fmt.Sprintf("The next one is dropped at %s. Find out what replaces the root so often", next.Format(time.RFC3339))
	}
	return "None of them is being dropped: delete MeshRootCertificates that are not needed"
}

func changes(before, after State, t tally, ackTimeout time.Duration) (all []Announcement) {
	for _, root := range added(before.Distributing(), after.Distributing()) {
		all = append(all, Announcement{
			Reason: "RootDistributed", Source: after.Source(root.certificate),
			Note: fmt.Sprintf("root %s is trusted from now on, and may sign when %d pods have acknowledged it, or at %s",
				root, t.pods, after.Deadline(ackTimeout).Format(time.RFC3339)),
		})
	}
	for _, root := range added(before.Signing(), after.Signing()) {
		a := Announcement{
			Reason: "RootSigns", Source: after.Source(root.certificate),
			Note: fmt.Sprintf("root %s signs; certificates of the former root are replaced", root),
		}
		if before.Bundle().Contains(root.certificate) && len(t.missing) > 0 {
			a.Warning = true
			a.Note = fmt.Sprintf("root %s signs, though %d of %d pods have not acknowledged it in %s; replace them, for they refuse what it certifies: %s",
				root, len(t.missing), t.pods, ackTimeout, some(t.missing))
		}
		all = append(all, a)
	}
	for _, root := range added(after.Bundle(), before.Bundle()) {
		all = append(all, Announcement{
			Reason: "RootDropped", Source: before.Source(root.certificate),
			Note: fmt.Sprintf("root %s is not trusted any more", root),
		})
	}
	return all
}

func some(names []string) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
