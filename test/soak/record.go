package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// samplePeriod is how often it is looked how things are.
	samplePeriod = 5 * time.Second
	// growth is what memory may grow by in a calm half, as a factor, and what it
	// may vary by in megabytes.
	growth    = 1.1
	variation = 4
)

// record is what happened when. Its zero value is ready to use.
type record struct {
	mu      sync.Mutex
	began   time.Time
	Faults  []period `json:"faults"`
	Samples []sample `json:"samples"`
}

// period is in seconds since the beginning.
type period struct {
	Name string  `json:"name"`
	From float64 `json:"from"`
	To   float64 `json:"to"`
}

// sample is how things are at one moment.
type sample struct {
	Seconds    float64            `json:"seconds"`
	Handshakes int64              `json:"handshakes"`
	Failures   int64              `json:"failures"`
	Memory     map[string]float64 `json:"memory"` // resident megabytes of a process, the mean of those of a program
}

// now is in seconds since the first call, by the monotonic clock.
func (r *record) now() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.began.IsZero() {
		r.began = time.Now()
	}
	return time.Since(r.began).Seconds()
}

func (r *record) note(fault string, from float64) {
	to := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Faults = append(r.Faults, period{fault, from, to})
}

// watch takes samples until ctx ends.
func (r *record) watch(ctx context.Context, t *tally) error {
	tick := time.NewTicker(samplePeriod)
	defer tick.Stop()
	for {
		memory, err := meshMemory()
		if err != nil {
			return err
		}
		taken := sample{r.now(), t.handshakes.Load(), t.failures.Load(), memory}
		r.mu.Lock()
		r.Samples = append(r.Samples, taken)
		r.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// meshMemory is what a process of each program of the mesh has in memory.
func meshMemory() (map[string]float64, error) {
	processes, err := children()
	if err != nil {
		return nil, err
	}
	all := map[string][]float64{}
	for _, p := range processes {
		if size := p.resident(); p.ofTheMesh() && size > 0 {
			all[p.program] = append(all[p.program], size)
		}
	}
	memory := map[string]float64{}
	for program, sizes := range all {
		for _, size := range sizes {
			memory[program] += size / float64(len(sizes))
		}
	}
	return memory, nil
}

// calm are the samples since the last fault.
func (r *record) calm() []sample {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := 0.0
	for _, f := range r.Faults {
		last = max(last, f.To)
	}
	return slices.DeleteFunc(slices.Clone(r.Samples), func(s sample) bool { return s.Seconds < last })
}

// flat compares both halves of the time since the last fault, and returns which
// programs have grown.
func (r *record) flat() (problems []error) {
	calm := r.calm()
	if len(calm) < 8 {
		return []error{fmt.Errorf("only %d samples of memory since the last fault", len(calm))}
	}
	for _, program := range slices.Sorted(maps.Keys(calm[0].Memory)) {
		before, after := median(calm[:len(calm)/2], program), median(calm[len(calm)/2:], program)
		if after > before*growth+variation {
			problems = append(problems, fmt.Errorf("%s has grown from %.1f to %.1f MB since the last fault", program, before, after))
		}
	}
	return problems
}

func median(samples []sample, program string) float64 {
	var sizes []float64
	for _, s := range samples {
		sizes = append(sizes, s.Memory[program])
	}
	slices.Sort(sizes)
	return sizes[len(sizes)/2]
}
