// Package runtimeconfig is the contract between the two halves of the operator: what the manager projects for the
// webhook-server, and how the server reads it.
//
// The unit is an Object: a named set of keys with bytes. In a cluster an Object is a labelled Secret (or, for content, a
// ConfigMap) in the runtime namespace; outside one it is a directory with a file per key, so the same files serve both. Each Object
// has a key settings.json, whose member "kind" says what it is and whose member "version" is the contract's; secrets are keys of
// their own and never part of settings.json.
//
// The manager builds Objects with Channel.Object, App.Object, Content.Object, Tombstone.Object and Internal.Object. The server turns all Objects into an
// immutable Snapshot with Load. One Object that can't be read becomes a Problem and costs no other Object anything.
//
// The package does no I/O: it doesn't know Kubernetes' API or the file system, and it decides nothing about signatures, routing or
// replies.
package runtimeconfig
