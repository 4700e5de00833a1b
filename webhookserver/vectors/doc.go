// Package vectors keeps the vectors of channels' products and passages, so that search finds what is called otherwise than in a
// customer's question.
//
// A channel's embedding model is asked once for each text, by one replica, in batches and beside the turns; what it said lies in the
// store, for all replicas and for the next start. Until it is there, and whenever the model fails, search goes by words alone.
//
// The package does not search: package catalog fuses the vectors with what words find. It spends no more than the channel's budget,
// which package providers guards.
package vectors
