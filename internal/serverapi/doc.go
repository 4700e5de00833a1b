// Package serverapi is the internal HTTP API of the webhook-server, as both sides see it: paths, wire types, authorisation and the
// client. The manager is its only user.
//
//	GET  /internal/v1/reports?after=<cursor>&limit=<n>   what the server has learnt
//	GET  /internal/v1/parked-lines                       which lines can't send
//	GET  /internal/v1/snapshot                           which projections this replica has loaded
//	POST /internal/v1/test-messages                      send a test message once, or ask what became of it
//
// Every request carries the bearer token that the manager projected for the server (runtimeconfig.Internal). A server without one
// answers 401 to everybody.
//
// Reports and parked lines come from the store, so any replica may be asked. A snapshot is a replica's own, so each replica must be asked.
//
// The package neither stores nor interprets anything, and it never sees a customer's message.
package serverapi
