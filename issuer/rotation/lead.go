package rotation

import (
	"context"
	"time"
)

const (
	// evaluation is the least time between two looks at what follows.
	evaluation = 200 * time.Millisecond
	// check is how often the leader looks while a root is replaced, since pods
	// come and go and deadlines pass.
	check = time.Second
)

// Progress is how far the replacement of a root has come.
type Progress struct {
	Step  Step
	Since time.Time
	// Deadline is when the new root signs, acknowledged or not; zero
	// but in step Distribute.
	Deadline time.Time
	// Pods is how many have to acknowledge, and Missing names those that have
	// not, as namespace/name, in order.
	Pods    int
	Missing []string
	// Current counts the certificates of the root that signs, of the Total in
	// use. HeldBack counts those that are issued and not served yet.
	Current, Total, HeldBack int
}

// Progress returns how far the replacement has come. Only who leads knows.
func (r *Rotation) Progress() (Progress, bool) {
	if p := r.progress.Load(); p != nil {
		return *p, true
	}
	return Progress{}, false
}

// moveOn records what follows whenever something does, until ctx ends.
func (r *Rotation) moveOn(ctx context.Context) {
	since := time.Now()
	var step Step
	for {
		state, err := r.evaluate(ctx, since)
		if err != nil && ctx.Err() == nil {
			r.Logger.Error("cannot record what roots are trusted; will try again", "error", err)
		}
		next, _ := state.Step()
		if next != step {
			step, since = next, time.Now()
		}
		atMost := calm
		if err != nil || step == Distribute || step == Sign {
			atMost = check
		}
		wait(ctx, r.lead, atMost)
		if !sleep(ctx, evaluation) {
			return
		}
	}
}

// evaluate records what follows from what there is, and returns it.
func (r *Rotation) evaluate(ctx context.Context, since time.Time) (State, error) {
	before, _ := r.State()
	wanted := r.wanted.Load()
	if wanted == nil {
		return before, nil // this replica does not know yet
	}
	pods, err := r.Pods()
	if err != nil {
		return before, err
	}
	now := time.Now()
	t := count(before, pods, r.sightings(), since, now)
	situation := Situation{
		Now:              now,
		Unsigned:         t.unsigned,
		AckTimeout:       r.AckTimeout,
		RetirementPeriod: r.RetirementPeriod(),
	}
	r.note(before, t)
	next := func(recorded State) State {
		if recorded.Bundle().IsEmpty() {
			recorded = before // it was deleted
		}
		same := recorded.Equal(before)
		situation.Acknowledged, situation.Reissued = same && t.acknowledged(), same && t.reissued()
		return recorded.Next(*wanted, situation)
	}
	r.announceWaiting(ctx, next(before), *wanted)
	if next(before).Equal(before) && r.isRecorded() {
		return before, nil
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	after, err := r.record.Advance(ctx, next)
	if err != nil {
		return before, err
	}
	r.announce(ctx, before, after, t)
	return after, nil
}

// isRecorded reports whether the record is there, and can be read.
func (r *Rotation) isRecorded() bool {
	if r.malformed.Load() {
		return false
	}
	_, exists := r.recorded.Get(r.Namespace, ConfigMapName)
	return exists
}

// note keeps how far the replacement has come for those who ask.
func (r *Rotation) note(state State, t tally) {
	step, since := state.Step()
	p := Progress{Step: step, Since: since, Pods: t.pods, Missing: t.missing, Current: t.current, Total: t.total, HeldBack: t.heldBack}
	if step == Distribute {
		p.Deadline = state.Deadline(r.AckTimeout)
	} else {
		p.Missing = nil
	}
	before := r.progress.Swap(&p)
	if before == nil || before.Step != p.Step || len(before.Missing) != len(p.Missing) || before.Current != p.Current || before.HeldBack != p.HeldBack {
		r.Changed()
	}
	r.Metrics.progress(p)
}
