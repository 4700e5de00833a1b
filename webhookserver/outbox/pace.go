package outbox

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// defaultPerSecond is Meta's throughput of a number that was not upgraded, in and out together, see
	// developers.facebook.com/docs/whatsapp/cloud-api/overview#throughput.
	defaultPerSecond = 80
	// patience is how long a claimed send waits for its number's rate; a line that is further behind is not claimed.
	patience = time.Second
)

// pace keeps each number's rate, and the lines that Meta told to wait.
type pace struct {
	now func() time.Time

	mu sync.Mutex
	// replicas share each number's rate in equal parts: each takes its part of what comes in, too.
	replicas int
	lines    map[string]*linePace // by line id
}

type linePace struct {
	bucket *rate.Limiter
	paused time.Time
}

func newPace(now func() time.Time) *pace {
	return &pace{now: now, replicas: 1, lines: map[string]*linePace{}}
}

// share divides each number's rate among so many processes.
func (p *pace) share(replicas int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.replicas = max(1, replicas)
}

// sharing is among how many processes it is divided.
func (p *pace) sharing() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.replicas
}

// of returns a line's pace, at our part of the rate that the channel has now. The lock is held.
func (p *pace) of(line string, perSecond int) *linePace {
	if perSecond <= 0 {
		perSecond = defaultPerSecond
	}
	perSecond = max(1, perSecond/p.replicas)
	l := p.lines[line]
	if l == nil {
		// A second's worth at once is what Meta counts.
		l = &linePace{bucket: rate.NewLimiter(rate.Limit(perSecond), perSecond)}
		p.lines[line] = l
	}
	if now := p.now(); l.bucket.Burst() != perSecond {
		l.bucket.SetLimitAt(now, rate.Limit(perSecond))
		l.bucket.SetBurstAt(now, perSecond)
	}
	return l
}

// take returns how long to wait before one message may be sent. If that is longer than patience nothing is taken.
func (p *pace) take(line string, perSecond int) (wait time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	r := p.of(line, perSecond).bucket.ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait > patience {
		r.CancelAt(now)
		return wait, false
	}
	return wait, true
}

// spend counts messages that came in: Meta counts both directions. It can't be refused, only be paid later, and no more than a
// second's worth: Meta's rate is of seconds, and what comes after the server was away, or out of quarantine, was counted long ago.
// Paid in full, an hour's backlog would keep a line from answering for the next one.
func (p *pace) spend(line string, perSecond, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, bucket := p.now(), p.of(line, perSecond).bucket
	n = min(n, int(bucket.TokensAt(now))+bucket.Burst())
	for ; n > 0; n -= bucket.Burst() {
		bucket.ReserveN(now, min(n, bucket.Burst()))
	}
}

// pause stops a line until the given time, or later if it was told so before.
func (p *pace) pause(line string, perSecond int, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.of(line, perSecond); until.After(l.paused) {
		l.paused = until
	}
}

// blocked lists the lines that must not send now.
func (p *pace) blocked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	var lines []string
	for line, l := range p.lines {
		if now.Before(l.paused) || l.bucket.TokensAt(now) < 1-patience.Seconds()*float64(l.bucket.Limit()) {
			lines = append(lines, line)
		}
	}
	return lines
}

// forget drops lines that are as good as new, so that the map does not grow with every line that ever was.
func (p *pace) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	for line, l := range p.lines {
		if now.After(l.paused) && l.bucket.TokensAt(now) >= float64(l.bucket.Burst()) {
			delete(p.lines, line)
		}
	}
}
