package sds

import (
	"context"
	"log/slog"
	"sync/atomic"

	"golang.org/x/time/rate"
)

// What is logged of proxies at once, and each second after that.
const (
	warningBurst      = 20
	warningsPerSecond = 1
)

// sparing hands on warnings at a bounded rate, and how many it left out: proxies
// decide how many there are.
type sparing struct {
	slog.Handler
	*spared
}

type spared struct {
	limiter *rate.Limiter
	leftOut atomic.Int64
}

func newSparing(next slog.Handler) *sparing {
	return &sparing{next, &spared{limiter: rate.NewLimiter(warningsPerSecond, warningBurst)}}
}

// Handle implements slog.Handler.
func (s *sparing) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn {
		return s.Handler.Handle(ctx, r)
	}
	if !s.limiter.Allow() {
		s.leftOut.Add(1)
		return nil
	}
	if n := s.leftOut.Swap(0); n > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int64("left_out", n))
	}
	return s.Handler.Handle(ctx, r)
}

// flush says how many were left out, if any were.
func (s *sparing) flush(ctx context.Context) {
	if s.leftOut.Load() == 0 || !s.limiter.Allow() {
		return
	}
	slog.New(s.Handler).WarnContext(ctx, "left out warnings about proxies, which came too fast", "left_out", s.leftOut.Swap(0))
}

// WithAttrs implements slog.Handler.
func (s *sparing) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &sparing{s.Handler.WithAttrs(attrs), s.spared}
}

// WithGroup implements slog.Handler.
func (s *sparing) WithGroup(name string) slog.Handler {
	return &sparing{s.Handler.WithGroup(name), s.spared}
}
