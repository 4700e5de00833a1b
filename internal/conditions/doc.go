// Package conditions keeps the status contract of the operator's kinds in one place: which condition types a kind has, in which order,
// how Ready, Reconciling and Stalled fit together, and when observedGeneration advances.
//
// A reconciler makes one Set per reconciliation, says what it found of each step, sums up with exactly one of the Mark methods, calls
// Write, and sends the result with Apply. CheckContract tells tests where an object breaks the contract.
//
// The package decides no reason and no message, makes no events and reads nothing from the API: what a step's state is belongs to the
// controllers.
package conditions
