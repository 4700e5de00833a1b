// Command turns measures what a turn costs without the model: from the claim of a conversation to its committed answer, with a real
// store, a real index and a real HTTP call to a model that answers at once. Then it does so again while 500 turns of other channels
// wait for slow models, and compares.
//
// It measures nothing of Meta or of the network, and no quality. The figures stand beside what figures.yaml expects, and it fails if
// one is worse.
package main
