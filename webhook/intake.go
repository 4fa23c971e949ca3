package webhook

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// stallTime is how long nothing may come of a body, and bodyTime how long all of
	// it may take. An API server writes it in one go.
	stallTime = 3 * time.Second
	bodyTime  = 10 * time.Second

	firstBuffer = 4 << 10
	// trusted is how much of a body has come before its Content-Length is believed.
	trusted = 1 << 20
)

// intake reads the bodies of a handler's requests. It bounds each of them, and by
// bytes what all of them hold at once.
type intake struct {
	limits   limits
	scanners sync.Pool
	// Bodies that are not small, and what is made of them and of small ones: large
	// ones keep no small one waiting.
	bodies                     *budget
	smallObjects, largeObjects *budget
}

func newIntake(l limits) *intake {
	in := &intake{
		limits:       l,
		bodies:       newBudget(12<<20, 9<<20),
		smallObjects: newBudget(4<<20, 4<<20),
		largeObjects: newBudget(32<<20, 32<<20),
	}
	in.scanners.New = func() any { return newScanner(in.limits) }
	return in
}

// handle returns a handler that has answer called with the body of each request
// that keeps to the limits.
func (in *intake) handle(answer func(w http.ResponseWriter, r *http.Request, body []byte)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := &held{intake: in, address: host(r)}
		defer h.giveBack()
		body, err := h.read(w, r)
		if err != nil {
			refuse(w, err)
			return
		}
		// Who does not read an answer keeps no other from one. A writer without
		// deadlines has no connection.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(bodyTime))
		answer(w, r, body)
	})
}

func host(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}

// held is what one request has of the budgets.
type held struct {
	intake  *intake
	address string
	taken   [2]struct {
		budget *budget
		bytes  int64
	}
}

const (
	ofBody = iota
	ofObjects
)

// exchange takes bytes of a budget, and gives back what was taken before for the
// same: a buffer that grows is there twice for a moment.
func (h *held) exchange(ctx context.Context, what int, b *budget, bytes int64) error {
	if err := b.take(ctx, h.address, bytes); err != nil {
		return err
	}
	h.give(what)
	h.taken[what].budget, h.taken[what].bytes = b, bytes
	return nil
}

func (h *held) give(what int) {
	if t := &h.taken[what]; t.budget != nil {
		t.budget.give(h.address, t.bytes)
		t.budget = nil
	}
}

func (h *held) giveBack() {
	h.give(ofObjects)
	h.give(ofBody)
}

// read reads the body and takes what answering it needs.
func (h *held) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	scanner := h.intake.scanners.Get().(*scanner)
	defer h.intake.scanners.Put(scanner)
	scanner.reset()
	body, err := h.receive(r, scanner, newPace(w))
	if err != nil {
		return nil, err
	}
	objects, bytes := h.intake.largeObjects, decodedBytes(len(body), scanner.values)
	if bytes <= decodedBytes(smallBody, smallBody/16) {
		objects = h.intake.smallObjects
	}
	return body, h.exchange(r.Context(), ofObjects, objects, bytes)
}

func (h *held) receive(r *http.Request, scanner *scanner, pace *pace) ([]byte, error) {
	var body []byte
	defer pace.end()
	for {
		if len(body) == cap(body) {
			grown, err := h.grow(r, body)
			if err != nil {
				return nil, err
			}
			body = grown
		}
		pace.next()
		n, err := r.Body.Read(body[len(body):cap(body)])
		if _, err := scanner.Write(body[len(body) : len(body)+n]); err != nil {
			return nil, err
		}
		body = body[:len(body)+n]
		if err == io.EOF {
			return body, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (h *held) grow(r *http.Request, body []byte) ([]byte, error) {
	size := nextSize(cap(body), r.ContentLength, h.intake.limits.bytes)
	if size > smallBody {
		if err := h.exchange(r.Context(), ofBody, h.intake.bodies, int64(size)); err != nil {
			return nil, err
		}
	}
	return append(make([]byte, 0, size), body...), nil
}

// nextSize is that of the next buffer, with a byte more than the body to see its
// end.
func nextSize(size int, announced int64, most int) int {
	next := max(firstBuffer, size*2)
	if fits := announced + 1; fits > int64(size) && (fits <= int64(4*next) && next < smallBody || size >= trusted) {
		next = int(min(fits, int64(most)+1))
	}
	return min(next, most+1)
}
