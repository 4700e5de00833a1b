// Package ingress is where Meta's webhooks come in: the handshake, and the way of a POST from its bytes to durable rows.
//
// The order of a POST is the order of trust:
//
//  1. Its body is read, bounded in size, time and in the bytes of all requests together.
//  2. Ids in the body pick at most four secrets. Nothing else is believed of an unverified body.
//  3. The signature is checked on the exact bytes.
//  4. The body is decoded, and every number and account in every change must belong to the app whose secret verified it.
//  5. What remains is stored as one unit, and only then answered with 200.
//
// 200 means durable, or that there is nothing to keep. 503 asks Meta to deliver again later, which it does for days. No answer says
// more than its status, to nobody.
//
// What can't be judged yet is kept: a body for a number that is served, with a signature that no secret explains, goes to the
// quarantine, and is judged again when a secret of its app changes; a genuine change for a number that no channel claims yet is
// stored as unclaimed, and goes to the line whose channel appears with that app and that account. Handler.Run does both.
//
// Every message of a customer becomes a row with its type, what can be read in it, and what its file is called at Meta. What he
// wrote, tapped or sent asks for an answer; reactions, edits, revocations, system messages and all copies from standby, echoes and
// histories never do. Echoes and handovers tell who else answers. Histories and contacts of a number that keeps its phone app are
// kept as they come, and made rows of beside requests. Account-level fields are told to the manager by name. Other fields, and
// messages of groups, are kept as raw changes.
//
// Besides the shared path there are paths of one app and of one number, where only theirs counts.
//
// The package doesn't know channels' settings beyond ids and secrets, answers no customer, and calls neither Graph nor Kubernetes.
package ingress
