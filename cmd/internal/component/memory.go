package component

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// cgroupLimit is where a container reads its limit of memory in bytes, or "max"
// (Linux, Control Group v2).
const cgroupLimit = "/sys/fs/cgroup/memory.max"

// LimitMemory has garbage collected before Go takes more than two thirds of what
// the container may: beyond its limit, the kernel ends it, and the program's own
// text and what garbage grows to meanwhile count, too. Where there is no limit to
// read, fallback is the most, in bytes. GOMEMLIMIT takes precedence.
func LimitMemory(fallback int64) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	text, err := os.ReadFile(cgroupLimit)
	if err != nil {
		text = nil
	}
	debug.SetMemoryLimit(softLimit(string(text), fallback))
}

func softLimit(limit string, fallback int64) int64 {
	bytes, err := strconv.ParseInt(strings.TrimSpace(limit), 10, 64)
	if err != nil || bytes <= 0 {
		return fallback
	}
	return bytes / 3 * 2
}
