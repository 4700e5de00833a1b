// Package halves runs the manager and the webhook-server together, each under its own account, and proves what only both can do: a fact
// that the server learns from Meta becomes a condition, and a Secret that a person changes becomes how the server judges webhooks.
//
// What it does not do: run the programs as such (package e2e), or repeat what one half can prove alone.
package halves
