package signup

import "time"

const (
	// maxBody is for a code of some hundred bytes and three ids.
	maxBody = 8 << 10

	// requestsPerSecond and requestBurst bound what all links together may ask for on one replica: pages are small, and one that waits
	// for its outcome asks every second or two.
	requestsPerSecond = 200
	requestBurst      = 400
	// handoversPerMinute and handoverBurst bound the codes of one link. A person who tries again and again needs some.
	handoversPerMinute = 6
	handoverBurst      = 5
	// maxLimiters bounds the memory for that; links can't be made up, so it is reached by real ones only.
	maxLimiters = 10_000

	// handoverTimeout is how long the API server is tried. A code lives 30 seconds, and the exchange needs some of them.
	handoverTimeout = 20 * time.Second
	// handoverAttempt bounds one try, handoverPause the time before the next.
	handoverAttempt = 5 * time.Second
	handoverPause   = 250 * time.Millisecond
)
