// Package program runs one of our programs as a child for the demo, the measurements and the tests: started with its output in a file,
// waited for until it answers, and stopped as a kubelet would.
//
// It knows nothing of what the program does, and builds nothing.
package program
