// Package sqlite keeps the store in one SQLite file: the default that needs no
// set-up, for one replica of the webhook-server.
//
// One goroutine writes. It gathers whatever waits while the previous commit
// runs and commits it as one group; another forces the group to the disk while
// the next one is written. A call returns only after that fsync, and an idle
// server adds no latency. Readers use connections of their own and never wait
// for the writer; they may see what is about to be forced to the disk.
//
// Queries say LIMIT +?, not LIMIT ?: SQLite compiles a statement anew whenever
// it gets a value for a parameter that is a limit, which takes longer than most
// of them do; a plus hides it.
//
// Queries find the messages of a conversation as spans.go says: there is no
// index of conversations alone.
//
// The package refuses to open a file that another process has open, that lies
// on a network file system, whose schema is newer than the binary, or whose
// durability settings are weaker than it asked for. It does not replicate, and
// several replicas cannot share the file.
package sqlite
