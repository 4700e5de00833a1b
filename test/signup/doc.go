// Package signup goes the way of a customer who got a signup link, in a real browser: the page, Meta's window as the simulator plays it,
// the code handed over through the API server, the manager, the approval, and the page's last word.
//
// It is about how the parts fit together. What each of them refuses is tested beside it.
package signup
