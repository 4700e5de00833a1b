// Package source feeds the webhook-server with what it serves: it turns the Objects of package runtimeconfig, from a namespace of a
// Kubernetes cluster or from a directory, into an immutable Snapshot, and swaps it atomically on every change.
//
// Readers call View.Load: a pointer read, no lock and no I/O, so a webhook costs no API call. They see each change within about a
// second in a cluster, two from a directory, without a restart.
//
// An Object that can't be read costs no other Object anything, and it does not replace an earlier one of the same name that could be.
//
// The package writes nothing anywhere, and does not judge what the Objects say.
package source
