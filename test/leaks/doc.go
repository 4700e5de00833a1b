// Package leaks is told every secret that tests use, collects what people can read afterwards (logs, metrics, answers over HTTP,
// events, objects, what a store has kept), and looks for the former in the latter, in the usual encodings too.
//
// It does not judge who may read what: a place where a secret belongs, such as a Secret of Kubernetes, is not shown to it. It finds
// no part of a secret, and none that is encrypted or compressed.
package leaks
