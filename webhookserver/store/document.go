package store

import "time"

// DocumentsFor is how long a document is kept that nobody has checked: its
// channel names it no more, or is gone.
const DocumentsFor = 30 * 24 * time.Hour

// Document is what is known of a feed or page that a line names by URL.
type Document struct {
	Line, URL string
	// Revision of the last good copy; empty when there is none.
	Revision string
	// FetchedAt is when the last good copy came or was found unchanged,
	// CheckedAt when the last attempt ended, DueAt when the next one is to be.
	// Zero means never.
	FetchedAt, CheckedAt, DueAt time.Time
	// Problem is the class of error of the last attempt; empty when it went well.
	Problem string
}

// Fetch is the right to fetch a document.
type Fetch struct {
	Line, URL string
	// ETag and LastModified came with the last good copy; empty when it had
	// none, or there is no copy.
	ETag, LastModified string
	// Revision of the last good copy; empty when there is none.
	Revision string
	// Failures is how many attempts failed since the last one that went well.
	Failures int
	// Problem is what the last attempt failed with; empty when it went well.
	Problem string

	// Epoch tells this claim from later ones.
	Epoch int64
}

// FetchOutcome is what came of a fetch.
type FetchOutcome struct {
	// Problem is the class of error; empty when it went well. It must be free of
	// secrets, and of the URL, which may hold one.
	Problem string
	// Body is the new copy and Revision identifies it; nil when the last one is
	// still right, or with a Problem.
	Body     []byte
	Revision string
	// ETag and LastModified came with the Body.
	ETag, LastModified string
	// Next is when to fetch again.
	Next time.Duration
}
