package ingress

import "time"

const (
	// MaxBody is the size up to which a webhook is read. Meta's own limit is 3 MB; the rest is room for its rounding.
	// See https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/components.
	MaxBody = 3<<20 + 64<<10
	// MaxInFlight bounds the bytes of all bodies that are being read or stored, so that no number of senders can exhaust the memory:
	// 20 of the largest, or 20,000 ordinary ones. Decoded, a body takes several times its size.
	MaxInFlight = 64 << 20
	// firstRead is what is set aside for a body of unknown size; an ordinary webhook has 700 bytes.
	firstRead = 4 << 10
	// largestFirstRead bounds what a Content-Length, which anybody may claim, sets aside before a byte has come.
	largestFirstRead = 64 << 10

	// ReadHeaderTimeout is ample for headers of one packet, and ends a client that drips them.
	ReadHeaderTimeout = 5 * time.Second
	// ReadTimeout is for a whole request: 3 MB at a poor 2 Mbit/s.
	ReadTimeout = 15 * time.Second
	// WriteTimeout covers the reading and the commit; Meta gives up earlier.
	WriteTimeout = 30 * time.Second
	// IdleTimeout keeps Meta's connections over a quiet minute.
	IdleTimeout = 90 * time.Second
	// MaxHeaderBytes is many times what Meta and proxies send.
	MaxHeaderBytes = 16 << 10

	// maxSecrets are tried on any body, whatever ids it names: an HMAC over 3 MB takes 2 ms. Two apps that both rotate their secrets
	// fit, which is what a body's ids lead to at most when Meta made it.
	maxSecrets = 4

	// maxChallenge bounds what a handshake makes us echo; Meta sends ten digits.
	maxChallenge = 128
	// mismatchesPerSecond and mismatchBurst bound refused handshakes. Genuine ones are not limited, so nobody can push them out.
	mismatchesPerSecond = 5
	mismatchBurst       = 20

	// quarantinePerSecond and quarantineBurst bound, for each app, how fast unverified bodies are written. A secret that was rotated
	// at Meta first makes all webhooks of an app go there, and what is refused comes again.
	quarantinePerSecond = 50
	quarantineBurst     = 200
	// maxQuarantinedUnder bounds under how many apps one body is kept.
	maxQuarantinedUnder = 4

	// accountReportsPerSecond and accountReportBurst bound what the manager is told of the accounts of an app that its tenant owns,
	// who can sign as many events as he likes. What is beyond is stored all the same; the manager reads Graph on its own, too.
	accountReportsPerSecond = 1
	accountReportBurst      = 30

	// directPerSecond and directBurst bound what a tenant's own app, which signs at will, may have stored in messages, statuses and
	// other items: Meta's own highest throughput of a number, with a status or two for each. What is beyond is told to come later.
	directPerSecond = 2_000
	directBurst     = 20_000
	// directBytesPerSecond and directBytesBurst bound its bytes: 700 B for each of 400 messages a second, and a history at once.
	directBytesPerSecond = 256 << 10
	directBytesBurst     = 96 << 20
	// junkBytesPerSecond and junkBytesBurst bound what of it is kept without being understood: some 350 MiB a day.
	junkBytesPerSecond = 4 << 10
	junkBytesBurst     = 32 << 20

	// retryAfter is what 503 asks for, in seconds. Meta follows its own schedule; proxies and tests follow this.
	retryAfter = "1"

	// flushEvery is how long observations are gathered before they are written: the manager looks every few seconds.
	flushEvery = 2 * time.Second
	// handshakeReportEvery is how often the handshakes of one verify token are told of: its owner can shake hands all day.
	handshakeReportEvery = time.Minute
	// flushTimeout bounds the last flush at shutdown.
	flushTimeout = 3 * time.Second
	// sweepEvery is how often unclaimed changes are looked at beside every change of the snapshot.
	sweepEvery = time.Minute
	// replayBackoff is the pause after the store has failed a replay.
	replayBackoff = 5 * time.Second
	// pendingEvery is how often changes that wait to be projected are looked at beside each that comes.
	pendingEvery = 15 * time.Second
	// pendingPage bounds what one read of them holds in memory (up to 3 MB each), pendingRows what is stored at a time.
	pendingPage = 4
	pendingRows = 200
	// quarantinePage and unclaimedPage bound what one read of the store holds in memory: bodies are up to 3 MB, and so is a change of
	// a history, which comes before the channel of a new number.
	quarantinePage = 8
	unclaimedPage  = 8
)
