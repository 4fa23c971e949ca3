package webhook

import (
	"net/http"
	"time"
)

// pace has a body come in time.
type pace struct {
	control *http.ResponseController
	last    time.Time
}

func newPace(w http.ResponseWriter) *pace {
	return &pace{http.NewResponseController(w), time.Now().Add(bodyTime)}
}

// next gives the next part its time. A writer that has no deadlines has no
// connection that is slow, either.
func (p *pace) next() {
	part := time.Now().Add(stallTime)
	if p.last.Before(part) {
		part = p.last
	}
	_ = p.control.SetReadDeadline(part)
}

// end leaves the handler the time that it has: a read that fails would cancel it.
func (p *pace) end() { _ = p.control.SetReadDeadline(time.Now().Add(writeTimeout)) }
