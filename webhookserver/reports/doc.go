// Package reports is the server's side of the internal API (package serverapi): what the server has learnt, what it has loaded, and
// the sending of test messages. The manager is its only user.
//
// It adds to stored reports what the present snapshot knows of their lines, and otherwise passes them on. It learns nothing itself
// and shows no customer's message.
package reports
