// Package webhookserver is the webhook-server as a whole: its roles, its listeners, its readiness and its end.
//
// There are three listeners. The public one takes Meta's webhooks. The internal one serves the manager. The ops one answers probes
// and scrapes. A role decides what a process does of the work: ingress receives, worker answers and sends; the internal API and the
// ops listener are part of every role.
//
// The package starts and stops what others do; it knows nothing of webhooks, replies or Graph.
package webhookserver
