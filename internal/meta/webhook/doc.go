// Package webhook is the wire format of WhatsApp webhooks: signatures, the ids that decide who a webhook belongs to, and
// the types to decode it into.
//
// The order of use is the order of trust. PeekIDs reads ids from bytes that nobody vouches for, only to pick the secrets
// to try. Verify checks the signature on the exact bytes received. Decode and the methods of Change read the rest, but
// for bodies that two JSON parsers could read differently (DuplicateKeys). What is as Meta writes it is read fast, and
// what is odd by encoding/json.
//
// Message.Content says of a message of any type what can be read in it; the rest stays raw for whoever handles it. The
// package does not serve HTTP, does not know which ids belong to whom, and stores nothing.
package webhook
