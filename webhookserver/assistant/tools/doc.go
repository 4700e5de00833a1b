// Package tools gives chat models the tools of MCP servers that a channel names.
//
// A server is asked over Streamable HTTP alone, for the tools that the channel allows and no others. What they are is remembered for
// some minutes; what they return is cut to the channel's bound and handed on as data. A call with a side effect is made by Do alone,
// once the customer has confirmed it, with its idempotency key.
//
// The package does not decide whether a call may be made and does not remember calls: the ledger of package store does. Which
// addresses may be reached is up to the http.Client that it is given; see package egress. It does not retry.
package tools
