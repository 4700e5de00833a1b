// Package retrieval is the built-in assistant: it answers from a channel's catalog and knowledge by search alone, without
// a model, and gives the same answer to the same question.
//
// It greets, shows products with price, availability and photo, quotes the passage of the knowledge that answers a
// question, hands over to a person when asked to, and says plainly when it does not know. Its own phrases exist in
// English, German, Spanish, French, Italian and Portuguese; what it quotes is in the language of the content.
//
// It takes no orders, remembers nothing beyond the turn and makes nothing up.
package retrieval
