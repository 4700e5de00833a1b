// Package permissions asks a real API server what the shipped ServiceAccounts may do, as "kubectl auth can-i" does.
//
// It checks what was decided, not what the programs use: that they get along with it shows wherever they run, since tests and
// demo run them under these accounts.
package permissions
