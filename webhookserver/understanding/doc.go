// Package understanding makes text of what customers send besides text, so that an assistant can answer it: it transcribes
// voice notes, describes photos in the words of a catalog, and writes down places and contacts. What it has understood is
// kept with the message. What a channel can't understand gets a polite answer that names what works, in the customer's
// language; so does a failure. Nothing is passed over in silence.
//
// What is heard and seen is the customer's word like any other: data for a model, never an instruction.
//
// The package does not decide whether a customer is answered, does not answer texts, and sends nothing: package conversation
// does. It calls models through package providers alone.
package understanding
