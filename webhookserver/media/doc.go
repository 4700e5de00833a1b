// Package media fetches the files that customers send, and keeps them in a blob store.
//
// Each file is fetched once, with the token of the line that received it, also when several processes look for work: the
// store leases it. It is refused when it is larger than WhatsApp allows for its kind, and when its digest is not the one
// that Meta has told. What can't be fetched is tried again a bounded number of times and then recorded as failed with a
// reason. Blobs whose message was deleted, by retention or erasure, are deleted here.
//
// A file comes from a stranger: nothing here opens, converts or runs it, and its content type is kept as a label only.
// The package doesn't understand voice, images or documents, and it serves files to nobody.
package media
