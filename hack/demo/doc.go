// Command demo shows all of the operator on one machine, from nothing: a real control plane, the manager and the webhook-server
// under their own ServiceAccounts, and a simulator in Meta's place. It applies config/samples with kubectl, plays the people
// involved (the platform team, the customer who signs up, the customer who writes), and prints each step as it happens.
//
// It looks at everything from outside, with kubectl and HTTP; nothing that it prints comes from inside a program. With -once
// it exits with 0 when all of it was seen, else with 1 and what is missing. Otherwise it stays up until it is interrupted.
//
// It is no installer: nothing that it starts outlives it, and nothing that it applies is meant for another cluster.
package main
