// Package attack reports attacks on the mesh, a line each, and the controls
// beside them: what must go on working while an attack fails.
//
// The package must not know what is attacked, or how.
package attack

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"
)

var failed, worked, wrong atomic.Int64

// Refused tries an attack as a subtest. try returns how the attack failed, in a
// few words; an error says that it succeeded, or that it could not be tried.
func Refused(t *testing.T, area, what string, try func(t *testing.T) (how string, err error)) {
	t.Helper()
	run(t, "attack", area, what, "failed", &failed, try)
}

// Works tries a control as a subtest: what an attack, or the defence against it,
// must not break. try returns what shows that it works, in a few words.
func Works(t *testing.T, area, what string, try func(t *testing.T) (how string, err error)) {
	t.Helper()
	run(t, "control", area, what, "works", &worked, try)
}

func run(t *testing.T, kind, area, what, held string, count *atomic.Int64, try func(t *testing.T) (string, error)) {
	t.Helper()
	t.Run(kind+" "+what, func(t *testing.T) {
		t.Helper()
		outcome := "NOT TRIED"
		defer func() { fmt.Printf("%-8s %-13s %s: %s\n", kind, area, what, outcome) }()
		how, err := try(t)
		if err != nil {
			outcome = "WRONG: " + err.Error()
			wrong.Add(1)
			t.Error(err)
			return
		}
		outcome = held + ", " + how
		count.Add(1)
	})
}

// Main runs the tests of a package, for TestMain, and sums them up. It returns
// the exit code, which is not 0 where nothing was tried.
func Main(run func() int) int {
	code := run()
	Summary()
	if code == 0 && failed.Load()+worked.Load() == 0 {
		fmt.Fprintln(os.Stderr, "nothing was tried")
		return 1
	}
	return code
}

// Summary sums up what was tried so far.
func Summary() {
	fmt.Printf("%d attacks failed, %d controls work, %d wrong\n", failed.Load(), worked.Load(), wrong.Load())
}
