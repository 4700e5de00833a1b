// Package outbox delivers what the store's outbox holds: it claims one send after the other, calls the Graph API, and
// records what became of it.
//
// There is no idempotency key in the Graph API, so every decision here serves one rule: a message is never sent twice
// except by the store's own single re-send of an unknown outcome. A row is committed as sending before the call, the
// call's deadline lies inside the lease, and only an answer that says that the message was not taken makes the row
// pending again. A credential or account that Meta refuses parks the line, so that its messages wait instead of failing
// one by one.
//
// The package keeps Meta's rate per number and backs off when told to; the pace per pair of users, the order within a
// conversation, the customer service window and the age of replies are the store's to decide, by the database's clock.
// It writes no messages and knows nothing of assistants.
package outbox
