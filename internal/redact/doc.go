// Package redact keeps secret values out of everything that people and machines read later: logs, events, status,
// metrics, pages and error text.
//
// It offers a holder of a string that refuses to print it, a masked hint of a credential for humans, a check for
// credentials that were pasted in masked form, and a scrubber for foreign text.
//
// It does not encrypt, does not wipe memory and does not decide what is secret: a value that its caller keeps in a
// plain string stays printable. Text is the last line of defence for text from outside; text that we write ourselves
// is kept free of secrets by never putting them in.
package redact
