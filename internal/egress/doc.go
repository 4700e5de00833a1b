// Package egress makes the HTTP connections to addresses that a tenant chose, such as a model provider's base URL.
//
// Whoever writes a URL into a WhatsAppChannel must not gain a way into the network that the server stands in. So the
// dialer looks at the address that it is about to connect to, after name resolution, and refuses everything that is not
// a public unicast address: a name that resolves to a private address, or that resolves differently the second time
// (DNS rebinding), is refused like the address itself. Redirects to another origin are refused, the response body is
// capped, and no proxy is taken from the environment. With a proxy that the platform has named itself, addresses are
// looked at before it is asked; since it resolves names again, it needs rules of its own against rebinding.
//
// It does not decide who may configure a URL, does not retry, and is not meant for graph.facebook.com, whose client
// has rules of its own.
package egress
