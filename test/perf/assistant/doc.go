// Command assistant measures the search of catalogs: how fast questions are answered, with and without typos, how long an index takes
// to build and what memory it takes, and what many channels cost together. The figures stand beside what figures.yaml expects, and it
// fails if one is worse.
//
// It measures nothing of models or networks, and no quality: how good the answers are is judged by test/eval.
package main
