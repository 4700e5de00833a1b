// Package dispatch runs a bounded number of workers over work that lies in the store: package conversation's turns and
// package outbox's sends.
//
// The store is the queue and polling it is the truth; a hint only saves the wait. The package knows nothing of leases:
// what is claimed, and what becomes of it when a worker dies, is between its users and the store.
package dispatch
