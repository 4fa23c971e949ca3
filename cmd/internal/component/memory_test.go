package component

import "testing"

func TestGarbageIsCollectedBelowTheContainersLimit(t *testing.T) {
	tests := map[string]struct {
		limit string
		want  int64
	}{
		"the chart's":  {"128000000\n", 85333332},
		"none":         {"max\n", 42},
		"no cgroup v2": {"", 42},
		"nonsense":     {"-1", 42},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := softLimit(test.limit, 42); got != test.want {
				t.Errorf("%d bytes, want %d", got, test.want)
			}
		})
	}
}
