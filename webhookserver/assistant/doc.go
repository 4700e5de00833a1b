// Package assistant answers customers: it turns what a customer wrote into a structured reply of texts, images, buttons
// and lists that keeps within WhatsApp's limits.
//
// Model answers with a channel's chat model, given what search finds in the channel's catalog and knowledge. Fallback
// puts the built-in retrieval assistant behind it, so that a customer is answered while a model is down. Fit makes any
// reply sendable.
//
// The package sends nothing and keeps nothing: package conversation decides whether a reply may be given and commits
// it, package outbox delivers it. It never lets a model choose a price, an image or a recipient: products are named by
// their ids and shown as the catalog has them. Customers' texts, catalog and knowledge are data for a model, never
// instructions.
package assistant
