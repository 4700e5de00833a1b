// Package tracing records the way of a customer's message through the webhook-server as one trace: received, stored, fetched,
// answered, sent.
//
// Which process takes a step doesn't matter. The trace of a message has an id that is a hash of the line's and the message's, so
// every process knows it without being told; what is sent carries its turn's in its own row. Whether a trace is sampled
// depends on that id alone, so all processes agree, too.
//
// It is off unless the environment names a collector, and then costs nothing: a nil Tracer begins no spans. Names and attributes of
// spans hold ids of ours, kinds and outcomes, and never a message's id at Meta, which contains a phone number, nor anything that a
// customer or a model has said.
package tracing
