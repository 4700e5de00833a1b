// Command testsummary reads the output of 'go test -json' on its standard input and prints what a person wants
// to read of it: a line for each package, the whole output of what failed, and as its last line
//
//	N passed, N failed, N skipped
//
// where subtests count like tests, and a package that fails to build or ends without its tests counts as one failure.
//
// It exits with 1 if anything failed, if a test was skipped (a test that did not run proves nothing) or if no test
// ran at all. It does not run the tests and does not know how go test exited: use it behind a pipe with pipefail.
package main
