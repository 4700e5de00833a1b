// Package injection holds the server against a chat model that is fully captured: it does whatever any text that it reads tells it,
// whether a customer wrote it, or a catalog, a page of knowledge, a transcript, a photo, a name or a tool's result. What then goes to
// Meta, into the store and to tools is what is checked, since a model can be talked into anything.
//
// The tests do not try how well a model resists: none of it may matter. What the server cannot know, such as a lie in plain words, is
// not in here.
package injection
