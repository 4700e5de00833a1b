// Package house tests the rules of this repository that no linter knows: what its texts may name, how packages are
// documented and called, how long a Reconcile may get, that each reason of the API has somebody who sets it, and that
// nobody may list the Secrets of a cluster.
//
// It reads source files and starts nothing. What a linter can check belongs into .golangci.yml.
package house
