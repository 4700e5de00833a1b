package sqlite

import "math"

// Messages of a conversation are found span by span: messages_span is an index
// of the spans of ids (id >> spanBits) and, within each, of the conversations.
// One of the conversations alone would be written to all over for each group of
// deliveries, page by page, since so many customers write at the same time; of
// this one only the pages of the newest span are written to, over and over.
//
// A conversation therefore knows between which ids its messages are: none is
// before first_message_id or after last_message_id. Both are bounds, since a
// message may go without them being told; what adds a message must tell them.
// As long as there was none, first_message_id is noMessage.
//
// No query may look for a conversation's messages in any other way: there is no
// index for it. INDEXED BY has SQLite refuse to compile one that would miss it.
const spanBits = "14"

// noMessage is after all messages.
const noMessage int64 = math.MaxInt64

// reach is between which ids a conversation's messages are.
type reach struct{ first, last int64 }

// unreached is that of a conversation without messages.
var unreached = reach{first: noMessage}

// extend has r include what o includes.
func (r *reach) extend(o reach) {
	r.first, r.last = min(r.first, o.first), max(r.last, o.last)
}

// allMessages is a query for the ids of the messages of conversation ?1.
var allMessages = messagesSince(`first_message_id`)

// messagesSince is allMessages without the spans before a bound, an expression
// on conversations.
func messagesSince(bound string) string {
	return `
		WITH RECURSIVE spans (span, last) AS (
		  SELECT ` + bound + ` >> ` + spanBits + `, last_message_id >> ` + spanBits + ` FROM conversations WHERE id = ?1 AND first_message_id <= last_message_id
		  UNION ALL
		  SELECT span + 1, last FROM spans WHERE span < last
		)
		SELECT m.id FROM spans s CROSS JOIN messages m INDEXED BY messages_span
		ON m.id >> ` + spanBits + ` = s.span AND m.conversation_id = ?1`
}

// newestMessages is a query for the ids of the newest ?2 messages of
// conversation ?1 that a condition on messages m holds for, between two bounds:
// expressions on conversations c. Condition and bounds are constants.
//
// Each row of the walk is a message, and the next one that before it, so that it
// ends with the last that is wanted; or it is that a span has no more.
func newestMessages(first, last, condition string) string {
	return `
		WITH RECURSIVE walk (span, id, wanted, first, last) AS (
		  SELECT (` + last + ` >> ` + spanBits + `) + 1, NULL, ?2, ` + first + `, ` + last + ` FROM conversations c WHERE c.id = ?1
		  UNION ALL
		  SELECT w.span - (w.id IS NULL),
		         (SELECT m.id FROM messages m INDEXED BY messages_span
		          WHERE m.id >> ` + spanBits + ` = w.span - (w.id IS NULL) AND m.conversation_id = ?1
		            AND m.id BETWEEN w.first AND coalesce(w.id - 1, w.last) AND ` + condition + `
		          ORDER BY m.id DESC LIMIT 1),
		         w.wanted - (w.id IS NOT NULL), w.first, w.last
		  FROM walk w WHERE w.wanted > (w.id IS NOT NULL) AND w.span - (w.id IS NULL) >= w.first >> ` + spanBits + `
		)
		SELECT id FROM walk WHERE id IS NOT NULL`
}

// oldestMessages is a query for the ids of the oldest messages of conversation
// ?1, in a walk like that of newestMessages: at most ?2, and none after the first
// that was not received before ?3.
const oldestMessages = `
	WITH RECURSIVE walk (span, id, wanted, last) AS (
	  SELECT (first_message_id >> ` + spanBits + `) - 1, NULL, ?2, last_message_id FROM conversations WHERE id = ?1 AND first_message_id <= last_message_id
	  UNION ALL
	  SELECT w.span + (w.id IS NULL),
	         (SELECT m.id FROM messages m INDEXED BY messages_span
	          WHERE m.id >> ` + spanBits + ` = w.span + (w.id IS NULL) AND m.conversation_id = ?1 AND m.id > coalesce(w.id, 0)
	          ORDER BY m.id LIMIT 1),
	         w.wanted - (w.id IS NOT NULL), w.last
	  FROM walk w WHERE w.wanted > (w.id IS NOT NULL) AND w.span + (w.id IS NULL) <= w.last >> ` + spanBits + `
	    AND (w.id IS NULL OR (SELECT received_at FROM messages WHERE id = w.id) < ?3)
	)
	SELECT id FROM walk WHERE id IS NOT NULL`

// reachMessage tells a conversation of a message that was added to it.
func (t *tx) reachMessage(conversation, message int64) error {
	return t.exec1(`
		UPDATE conversations SET first_message_id = min(first_message_id, ?2), last_message_id = max(last_message_id, ?2) WHERE id = ?1`,
		conversation, message)
}
