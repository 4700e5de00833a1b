package record

import "github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"

// Settled is the condition, on conversations c, that nobody needs what was said
// in it any more: nothing is on its way out, and the customer's newest message
// is answered, be it by the assistant or by a person who wrote after it. What
// was skipped, handed off or could not be delivered is for a person to see. Both
// stores read it so.
const Settled = `
	NOT EXISTS (SELECT 1 FROM outbox o WHERE o.conversation_id = c.id AND o.state IN ('pending', 'sending', 'unknown'))
	AND NOT (c.person_at <= c.last_user_at AND (c.last_seq > c.answered_seq OR c.state = 'Waiting' OR c.skipped_reason NOT IN ('', '` + store.ReasonRevoked + `')))
	AND NOT EXISTS (
	  SELECT 1 FROM outbox o
	  WHERE o.sequence = (SELECT max(l.sequence) FROM outbox l WHERE l.conversation_id = c.id AND l.author <> 'test')
	    AND o.state IN ('failed', 'unconfirmed')
	    AND (o.author = 'person' AND o.state_at >= c.person_at OR o.author <> 'person' AND c.person_at <= c.last_user_at))`

// Discardable is Settled, of a conversation in which something was said since
// it last lost its words.
const Discardable = `
	EXISTS (SELECT 1 FROM messages m WHERE m.conversation_id = c.id AND m.id > c.discarded_through) AND ` + Settled

// DiscardThread takes what was said out of a conversation, whose id is the only
// parameter of each statement. What tells copies apart and what became of the
// messages stays. Nothing of it asks for an answer any more.
var DiscardThread = DiscardThreadOf(`conversation_id = ?1`)

// DiscardThreadOf is DiscardThread with a condition that holds for the messages
// of conversation ?1.
func DiscardThreadOf(its string) []string {
	return []string{
		`INSERT INTO blob_garbage (key, due_at) SELECT blob_key, 0 FROM outbox WHERE conversation_id = ?1 AND blob_key <> ''
	 ON CONFLICT (key) DO UPDATE SET due_at = 0`,
		`DELETE FROM media WHERE (phone_number_id, wamid) IN (SELECT phone_number_id, wamid FROM messages WHERE ` + its + `)`,
		`UPDATE messages SET text = '', raw = NULL WHERE (text <> '' OR raw IS NOT NULL) AND ` + its,
		`UPDATE outbox SET blob_key = '', media_id = '' WHERE conversation_id = ?1 AND (blob_key <> '' OR media_id <> '')`,
		`UPDATE conversations SET summary = '', answered_seq = last_seq, first_unanswered_id = 0, first_unanswered_at = 0, reply_due_at = 0,
	        discarded_through = coalesce((SELECT max(id) FROM messages WHERE ` + its + `), 0) WHERE id = ?1`,
	}
}

// Discarding empties rows of a table that no conversation leads to.
type Discarding struct {
	Table, Set string
	// Done holds for rows that nobody needs, Open for those whose decision is still open: these go once they were made
	// store.DecideWithin ago. Open may be empty.
	Done, Open string
}

// DiscardRows are what else customers' words are in. An order that was confirmed
// is the business's and stays as it is.
var DiscardRows = []Discarding{
	{Table: "raw_changes", Set: `raw = NULL`, Done: `raw IS NOT NULL AND NOT pending`},
	{
		Table: "orders", Set: `items = NULL, total = '', note = ''`,
		Done: `items IS NOT NULL AND state IN ('cancelled', 'replaced')`, Open: `items IS NOT NULL AND state = 'draft'`,
	},
	{
		Table: "tool_calls", Set: `arguments = NULL`,
		Done: `arguments IS NOT NULL AND state IN ('done', 'failed', 'declined')`, Open: `arguments IS NOT NULL AND state IN ('proposed', 'open')`,
	},
}

// Where is the condition for the rows. before takes the place of the time before
// which a decision is not open any more, if there is one.
func (d *Discarding) Where(before string) string {
	if d.Open == "" {
		return d.Done
	}
	return `(` + d.Done + ` OR ` + d.Open + ` AND created_at < ` + before + `)`
}
