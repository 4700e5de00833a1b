// Command webhook-server receives Meta's webhooks for all channels, stores them before it acknowledges them, and answers customers.
//
// It takes its channels from a Kubernetes namespace or, with --channels-dir, from a directory. It reads flags, and the
// DSN of PostgreSQL from a file that a flag names; what it does is in package webhookserver. It writes nothing to Kubernetes, and it needs no migration or set-up step: it makes its store
// when there is none.
package main
