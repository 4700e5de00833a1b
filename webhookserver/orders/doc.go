// Package orders tells shops of the orders that their customers have confirmed, by signed HTTP callbacks.
//
// A callback is signed as the Standard Webhooks specification says (webhook-id, webhook-timestamp, webhook-signature v1), and its
// webhook-id is the order's id in every attempt, so that a shop can tell a repetition from another order. An order that a shop does not
// take is told again with a growing pause; after the last attempt it becomes a dead letter.
//
// The package does not take orders and does not change them: package conversation does. Which addresses may be reached is up to the
// http.Client that it is given; see package egress.
package orders
