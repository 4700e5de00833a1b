// Package metasim is a simulator of the part of Meta's Graph API that WhatsApp onboarding and messaging use, as a
// real HTTP server with state.
//
// What it does:
//   - answers the Graph calls of a Solution Partner or of a business with its own app: code exchange, debug_token,
//     WhatsApp Business accounts and their phone numbers, webhook subscriptions with the real GET handshake, credit
//     sharing, registration with its PIN and 72-hour lock, messages, read receipts, typing indicators and media;
//   - enforces what Meta enforces: token scopes and visibility, one use and 30 seconds per code, the 24-hour customer
//     service window, throughput, pair and hourly call limits, field limits of every message type;
//   - plays Meta's webhook sender: signs the exact escaped bytes, picks the callback by number, account, app, retries
//     what is not answered with 200, and can batch, duplicate, forge and delay;
//   - plays the customer, over Go, over the admin API below /sim/v1 and on the page /phone;
//   - plays Embedded Signup in a browser: a script in place of Meta's JavaScript SDK, and the window that it opens;
//   - breaks on purpose: scripted faults per call, and a switch for every behaviour that Meta does not document.
//
// What it does not do: it never calls an address that is not loopback, it persists nothing, it is no TLS server, and
// it knows no templates, flows, calls or groups. Delays (status webhooks, retries) run on wall-clock time; everything
// that expires (codes, tokens, windows, locks, media URLs) runs on the simulator's clock, which Advance moves.
//
// Only tests, the demo and cmd/metasim may import it; it shares no type with the product's Graph client, so that the
// two stay independent readings of Meta's documentation (https://developers.facebook.com/docs/whatsapp/).
package metasim
