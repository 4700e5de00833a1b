// Package wholeturn has what tests of whole turns share: a webhook-server between Meta's simulator, a scripted chat model and a server
// of tools, and phones that customers write with. All of them are real servers that are spoken to over HTTP; nothing of the product
// is replaced.
//
// The package understands nothing: what is said is up to the tests. Its own tests are those of whole turns in texts, orders, tools,
// limits and hand-offs; voice notes and photos are in package senses, hostile ones in package injection.
package wholeturn
