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
}

var full = size{
	handshakes: 1_000_000,
	calm:       lifetime * 7 / 10,
	quiet:      []string{deleted, restarted, crashed, replaced, second, back, vaultSigns, cmSigns, back, back},
	killed:     []string{deleted, restarted, crashed, replaced, second, back},
	kills:      100,
	limit:      30 * time.Minute,
	rotation:   3 * time.Minute,
}

var tenth = size{
	handshakes: 100_000,
	quiet:      []string{deleted, crashed, replaced},
	killed:     []string{deleted, second, back},
	kills:      10,
	limit:      5 * time.Minute,
	rotation:   3 * time.Minute,
}
