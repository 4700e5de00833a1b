// Command chaos proves that the webhook-server loses nothing and says nothing twice while everything around it fails: its processes
// are killed, its database is stopped, the Graph API breaks calls before and after they take effect, statuses come late or never, an app
// secret changes at Meta first, and what comes in is batched, shuffled, doubled and partly forged.
//
// The programs are the real ones, on PostgreSQL (two processes) and on SQLite (one). Only their waits are shortened, all by the same factor,
// because nobody waits ten minutes for a status that never comes; see waits. Meta is the simulator, the model is scripted: it
// repeats the nonces of the messages that it is asked to answer, so that each of them can be traced from the customer to the reply.
//
// At the end every genuine message must be stored once, and every nonce must be in exactly one reply to its own customer, in order,
// but for the sends whose outcome nobody can know, which are counted and explained, and no secret may be in logs or in the SQLite
// database. It exits 1 otherwise. It talks to loopback only, ends by itself, and measures no speed.
package main
