package check

import (
	"fmt"
	"time"

	"github.com/osm-edge/osm/issuer"
)

// clockNoise is what the whole seconds of HTTP, and the way of an answer, may
// make of two clocks that agree.
const clockNoise = 5 * time.Second

func (s *Snapshot) clocks(c *Check) {
	if s.ServerTime.IsZero() {
		c.Summary = "the API server's time is not known"
		return
	}
	skew := s.ServerTime.Sub(s.Now)
	direction := "ahead of"
	if skew < 0 {
		direction = "behind"
	}
	const fix = "synchronise both clocks, by NTP: timedatectl status"
	problem := fmt.Sprintf("its clock is %s %s that of this machine", skew.Abs().Round(time.Second), direction)
	switch {
	case skew.Abs() >= issuer.ClockSkew:
		c.fail("API server", fix, "%s: certificates that are made by one are not valid yet, or any more, for the other", problem)
	case skew.Abs() > issuer.ClockSkew/5:
		c.warn("API server", fix, "%s; certificates forgive %s", problem, issuer.ClockSkew)
	case skew.Abs() > clockNoise:
		c.Summary = fmt.Sprintf("the API server's is %s %s this machine's", skew.Abs().Round(time.Second), direction)
	default:
		c.Summary = "the API server's and this machine's agree"
	}
}
