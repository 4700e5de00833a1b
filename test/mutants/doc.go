// Package mutants breaks the product on purpose and wants its crash tests to fail.
//
// A test that kills processes proves something only if it notices what it guards against. Each mutant is a small change of one file that
// undoes a precaution around a call that can't be taken back; the go command compiles it as an overlay, so that no file is touched. The
// package does not look for mutants by itself, and it measures no coverage.
package mutants
