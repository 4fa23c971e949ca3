package main

import "time"

// size is how much is to be done, and in what time.
type size struct {
	proxies    int
	handshakes int64
	calm       time.Duration // at the beginning, without a rotation
	quiet      []string      // the triggers of the first half
	killed     []string      // the triggers of the second half, round and round
	kills      int64
	limit      time.Duration // of everything
	rotation   time.Duration // of one rotation
	arrival    time.Duration // from a pod's creation to its certificate
	lifetime   time.Duration // of service certificates
	clockSkew  time.Duration // for which certificates are held back

	// Of the long one alone.
	pace   time.Duration // at least from one rotation to the next
	outage time.Duration // how long a fault lasts
}

var full = size{
	handshakes: 1_000_000,
	calm:       lifetime * 7 / 10,
	arrival:    arrival,
	lifetime:   lifetime,
	clockSkew:  time.Second, // no clock is off
	quiet:      []string{deleted, restarted, crashed, replaced, second, back, vaultSigns, cmSigns, back, back},
	killed:     []string{deleted, restarted, crashed, replaced, second, back},
	kills:      100,
	limit:      30 * time.Minute,
	rotation:   3 * time.Minute,
}

var tenth = size{
	handshakes: 100_000,
	arrival:    arrival,
	lifetime:   lifetime,
	clockSkew:  time.Second,
	quiet:      []string{deleted, crashed, replaced},
	killed:     []string{deleted, second, back},
	kills:      10,
	limit:      5 * time.Minute,
	rotation:   3 * time.Minute,
}

// long goes on through all that it can be expected to meet in years. Certificates
// live long enough to be held back for clocks that are off, and longer than a
// fault lasts.
var long = size{
	handshakes: 10_000_000,
	quiet:      []string{deleted, replaced, second, back},
	killed:     []string{deleted, vaultSigns, sealed, unsealed, back, restarted, cmSigns, back, crashed, replaced, second, back},
	limit:      8 * time.Hour,
	rotation:   15 * time.Minute,
	arrival:    15 * time.Minute,
	lifetime:   6 * skew,
	clockSkew:  skew,
	pace:       30 * time.Second,
	outage:     2 * time.Minute,
}

// scaled does fewer handshakes, with all faults in shorter time.
func (s size) scaled(handshakes int64) size {
	if handshakes < s.handshakes/10 {
		s.pace, s.outage = s.pace/6, s.outage/2
	}
	s.handshakes = handshakes
	return s
}
