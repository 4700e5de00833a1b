// Package signup is what crosses between manager, signup page and back when a customer signs up by link: the signed link, and the code
// that the page hands over. Both sides import it.
//
// It keeps nothing, calls nobody, and does not decide whether a link may still be used: a signature proves who made a link, and the
// manager alone knows what became of it.
package signup
