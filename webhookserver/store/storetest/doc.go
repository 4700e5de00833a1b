// Package storetest is the contract of store.Store as tests. Every
// implementation runs the same suite against a database of its own, with a
// clock that the tests turn.
//
// It does not test what is particular to one database: its files, settings,
// locks and failures.
package storetest
