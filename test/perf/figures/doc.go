// Package figures holds measurements beside what a range-spec file expects of them, and prints the table.
//
// It measures nothing, and knows no machine: what a busy one may add is in the file.
package figures
