// Package urls proves that no URL that a tenant writes leads the webhook-server inside: every field of the API that is a URL is tried
// with every kind of address inside, written as an address and as a name, with names that change their mind and with redirects. A field
// that is new fails until it is tried as well.
//
// Name servers, models, shops and what must not be reached are real servers on this machine's loopback network, of which one address
// stands for the internet: the platform's exceptions let it be reached. What the platform configures itself, such as the Graph API's
// address, is not tried.
package urls
