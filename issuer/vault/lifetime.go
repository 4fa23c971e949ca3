package vault

import (
	"sync"
	"time"
)

// lifetime notices that Vault shortens lifetimes, which it does without a word.
type lifetime struct {
	mu             sync.Mutex
	asked, granted time.Duration // of the last that was told; zero when none is
}

// shortened reports whether there is something new to tell: a lifetime that was
// shortened, and not as the last one was.
func (l *lifetime) shortened(asked, granted time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if granted >= asked-min(time.Minute, asked/10) { // clocks differ, and answers take time
		l.asked, l.granted = 0, 0
		return false
	}
	granted = granted.Round(coarse(granted))
	told := l.asked == asked && l.granted == granted
	l.asked, l.granted = asked, granted
	return !told
}

// last returns what was asked for and what was granted of a lifetime that is
// shortened; nothing while none is.
func (l *lifetime) last() (asked, granted time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asked, l.granted
}

// coarse keeps the lifetimes that end with their CA, each shorter than the one
// before, from being told each.
func coarse(d time.Duration) time.Duration {
	if d > 2*time.Hour {
		return time.Hour
	}
	return 10 * time.Minute
}
