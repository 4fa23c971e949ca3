package clock_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/osm-edge/osm/test/clock"
)

// teller is the environment variable that makes this program tell the time, by
// both of its clocks, for each line that it reads.
const teller = "TELL_THE_TIME"

func TestMain(m *testing.M) {
	if os.Getenv(teller) == "" {
		os.Exit(m.Run())
	}
	began := time.Now()
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		now := time.Now()
		fmt.Println(now.Unix(), now.Sub(began).Milliseconds())
	}
}

func TestAProcessHasAClockOfItsOwn(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("to change another process takes root, which CI is")
	}
	process := exec.CommandContext(t.Context(), os.Args[0])
	process.Env = append(os.Environ(), teller+"=1")
	in, err := process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(out)
	began := time.Now()
	ask := func() (wall time.Time, elapsed time.Duration) {
		t.Helper()
		if _, err := io.WriteString(in, "\n"); err != nil {
			t.Fatal(err)
		}
		var seconds, milliseconds int64
		if _, err := fmt.Fscan(answers, &seconds, &milliseconds); err != nil {
			t.Fatal(err)
		}
		return time.Unix(seconds, 0), time.Duration(milliseconds) * time.Millisecond
	}
	for _, by := range []time.Duration{0, 5 * time.Minute, -5 * time.Minute, 16 * time.Hour, 0} {
		if err := clock.Shift(process.Process.Pid, by); err != nil {
			t.Fatal(err)
		}
		wall, elapsed := ask()
		if off := time.Until(wall) - by; off.Abs() > 10*time.Second {
			t.Errorf("shifted by %s, it is off by %s more", by, off)
		}
		if elapsed < 0 || elapsed > time.Since(began)+10*time.Second {
			t.Errorf("shifted by %s, its monotonic clock has gone %s", by, elapsed)
		}
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := process.Wait(); err != nil {
		t.Error(err)
	}
}
