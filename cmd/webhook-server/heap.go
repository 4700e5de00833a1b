package main

import "runtime"

// spareHeap is never touched, so it takes addresses and no memory.
const spareHeap = 64 << 20

// holdSpareHeap makes the garbage collector wait for as much garbage more. The heap of an ordinary server is some 20 MiB, and to collect
// each time that it has doubled takes a tenth of the processor under load; a large heap gains nothing, and needs nothing.
func holdSpareHeap() (release func()) {
	spare := make([]byte, spareHeap)
	return func() { runtime.KeepAlive(spare) }
}
