// Command pause holds the namespaces of a Pod in the end-to-end test: it does nothing until it is told to end. It reaps nothing, as
// the Pods there don't share their process namespace.
package main
