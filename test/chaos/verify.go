package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

const (
	// page of rows that is read at a time.
	page = 1000
	// shown is how many faults of a kind are printed.
	shown = 5
)

// ledger is what was found at the end, on both sides.
type ledger struct {
	genuine, forged map[string]*message // by nonce
	faults          map[string][]string // by what is wrong

	stored map[string]int // customers' messages by nonce
	seq    map[string]int64
	// conversations by the customer whose nonces they hold: a line and the digits of the phone number.
	conversations map[string]*store.Conversation
	rows          map[string][]*row // by nonce
	byWAMID       map[string]*row
	copies        map[string]int // replies at Meta by nonce

	otherRows, unconfirmed, resent, arrivedTwice, lostUnconfirmed, behind int
}

// row is a reply in the outbox.
type row struct {
	store.OutboxRow
	nonces []string
}

// verify compares what was sent with what is stored and with what customers got.
func (t *trial) verify(ctx context.Context) (err error) {
	s, err := t.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	l := &ledger{
		genuine: map[string]*message{}, forged: map[string]*message{}, faults: map[string][]string{}, stored: map[string]int{}, seq: map[string]int64{},
		conversations: map[string]*store.Conversation{}, rows: map[string][]*row{}, byWAMID: map[string]*row{}, copies: map[string]int{},
	}
	for _, m := range t.traffic.messages {
		l.genuine[m.nonce] = m
	}
	for _, m := range t.traffic.forgeries {
		l.forged[m.nonce] = m
	}
	for _, c := range t.world.channels {
		if err := l.readLine(ctx, s, c); err != nil {
			return err
		}
	}
	letters, err := s.DeadLetters(ctx, 0, page)
	if err != nil {
		return err
	}
	for _, d := range letters {
		l.fault("a dead letter", d.Kind+": "+d.Reason)
	}
	for _, c := range t.world.channels {
		for _, customer := range c.customers {
			l.readPhone(t, c, customer)
		}
	}
	for _, m := range t.traffic.messages {
		l.judge(m)
	}
	t.print(l)
	return l.verdict()
}

func (l *ledger) fault(kind, detail string) { l.faults[kind] = append(l.faults[kind], detail) }

// readLine reads what the store has of a channel.
func (l *ledger) readLine(ctx context.Context, s store.Store, c *channel) error {
	texts := map[string]string{} // of our own messages, by outbox id
	for after := int64(0); ; {
		conversations, err := s.Conversations(ctx, c.line, after, page)
		if err != nil {
			return err
		}
		if len(conversations) == 0 {
			break
		}
		for i := range conversations {
			conv := &conversations[i]
			after = conv.ID
			messages, err := s.Messages(ctx, c.line, conv.ID, 0, page)
			if err != nil {
				return err
			}
			for j := range messages {
				if messages[j].OutboxID != "" {
					texts[messages[j].OutboxID] = messages[j].Text
					continue
				}
				l.readMessage(c, conv, &messages[j])
			}
		}
	}
	for after := int64(0); ; {
		rows, err := s.OutboxRows(ctx, c.line, after, page)
		if err != nil || len(rows) == 0 {
			return err
		}
		for i := range rows {
			after = rows[i].Sequence
			l.readRow(&row{rows[i], noncePattern.FindAllString(texts[rows[i].ID], -1)})
		}
	}
}

func (l *ledger) readMessage(c *channel, conv *store.Conversation, m *store.Message) {
	nonce := noncePattern.FindString(m.Text)
	want := l.genuine[nonce]
	switch {
	case l.forged[nonce] != nil:
		l.fault("a forged message is stored", nonce)
	case want == nil:
		l.fault("a message that nobody sent is stored", m.Type)
	case want.channel != c || m.PhoneNumberID != c.phone || m.WAMID != want.wamid:
		l.fault("a message is stored with another tenant, or under another id", nonce)
	default:
		l.stored[nonce]++
		l.seq[nonce] = m.Seq
		l.conversations[c.line+" "+want.customer] = conv
	}
}

func (l *ledger) readRow(r *row) {
	if r.Resends > 0 {
		l.resent++
	}
	switch r.State {
	case store.SendAccepted:
		l.byWAMID[r.WAMID] = r
	case store.SendUnconfirmed:
		l.unconfirmed++
	case store.SendPending, store.SendSending, store.SendFailed, store.SendUnknown:
		l.fault("a reply is in the wrong state at the end", fmt.Sprintf("%s %s, code %d", r.State, r.Reason, r.ErrorCode))
	}
	if len(r.nonces) == 0 {
		l.otherRows++
	}
	for _, nonce := range r.nonces {
		l.rows[nonce] = append(l.rows[nonce], r)
	}
}

// readPhone reads what a customer got from a channel.
func (l *ledger) readPhone(t *trial, c *channel, customer string) {
	var last *row
	var newest int64 // the highest number of what was answered so far
	for _, e := range t.sim.Conversation(c.phone, customer) {
		if e.Direction != "out" {
			continue
		}
		if e.Status == "failed" {
			l.fault("a reply failed at Meta", fmt.Sprint(e.Error))
		}
		nonces := noncePattern.FindAllString(e.Text, -1)
		l.countCopies(c, customer, nonces)
		if len(nonces) == 0 || len(l.rows[nonces[0]]) != 1 {
			continue // judged below
		}
		r := l.rows[nonces[0]][0]
		if r == last {
			continue // the copy of a send that was repeated
		}
		if last != nil && r.Sequence < last.Sequence {
			l.fault("replies out of order", nonces[0])
		}
		last = r
		for _, nonce := range nonces {
			if l.seq[nonce] <= newest {
				l.fault("a reply answers what came before the last one", nonce)
			}
		}
		for _, nonce := range nonces {
			newest = max(newest, l.seq[nonce])
		}
	}
}

// countCopies counts the nonces of a reply, which must be the customer's own.
func (l *ledger) countCopies(c *channel, customer string, nonces []string) {
	for _, nonce := range nonces {
		m := l.genuine[nonce]
		if m == nil || m.channel != c || m.customer != customer {
			l.fault("a reply holds the nonce of somebody else, or a forged one", nonce)
			continue
		}
		l.copies[nonce]++
	}
}

// judge decides on one genuine message.
func (l *ledger) judge(m *message) {
	if n := l.stored[m.nonce]; n != 1 {
		l.fault(fmt.Sprintf("a genuine message is stored %d times", n), m.nonce)
		return
	}
	rows, copies := l.rows[m.nonce], l.copies[m.nonce]
	conv := l.conversations[m.channel.line+" "+m.customer]
	switch {
	case len(rows) > 1:
		l.fault("a message was answered twice by the assistant", m.nonce)
	case len(rows) == 0 && copies == 0 && conv.State == store.ConversationWaiting && conv.WaitingReason == store.ReasonUnconfirmed:
		l.behind++
	case len(rows) == 0:
		l.fault("a message was not answered", fmt.Sprintf("%s: the conversation is %s %s, skipped %q", m.nonce, conv.State, conv.WaitingReason, conv.SkippedReason))
	case rows[0].State == store.SendUnconfirmed:
		if copies == 0 {
			l.lostUnconfirmed++
		}
		if copies > 1+rows[0].Resends {
			l.fault(fmt.Sprintf("an unconfirmed reply arrived %d times", copies), m.nonce)
		}
	case copies == 2 && rows[0].Resends == 1:
		l.arrivedTwice++
	case copies != 1:
		l.fault(fmt.Sprintf("a reply that is %s arrived %d times, re-sent %d times", rows[0].State, copies, rows[0].Resends), m.nonce)
	}
}

// verdict is an error that names each kind of fault with some examples.
func (l *ledger) verdict() error {
	var errs []error
	kinds := make([]string, 0, len(l.faults))
	for kind := range l.faults {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		all := l.faults[kind]
		errs = append(errs, fmt.Errorf("%d times: %s: %s", len(all), kind, strings.Join(all[:min(shown, len(all))], "; ")))
	}
	return errors.Join(errs...)
}

func (t *trial) print(l *ledger) {
	once := 0
	for _, m := range t.traffic.messages {
		if l.stored[m.nonce] == 1 {
			once++
		}
	}
	counters := t.sim.Counters()
	rows := map[*row]bool{}
	for _, all := range l.rows {
		for _, r := range all {
			rows[r] = true
		}
	}
	fmt.Printf("  came in        %d messages in %d POSTs, with %d duplicates in them, %d simultaneous copies of POSTs, %d forgeries\n",
		len(t.traffic.messages), t.traffic.posts.Load(), t.traffic.duplicates.Load(), t.traffic.copies.Load(), len(t.traffic.forgeries))
	fmt.Printf("  trouble        %d kills, %d stops of the database, 1 rotation of an app secret; %d attempts at %d webhooks, statuses included\n",
		t.killed.Load(), t.stopped.Load(), counters.Webhooks.Attempts, counters.Webhooks.Queued)
	fmt.Printf("  stored         %d genuine messages once\n", once)
	fmt.Printf("  answered       by %d replies, each nonce in one of its own tenant, in order; %d sends were called, %d took effect\n",
		len(rows), counters.Calls["send"], counters.Applied["send"])
	fmt.Printf("  re-sent        %d replies whose outcome was unknown while later statuses came; %d nonces arrived twice for it:\n"+
		"                 the first send had taken effect, and its statuses were late or lost\n", l.resent, l.arrivedTwice)
	fmt.Printf("  unconfirmed    %d replies: no status told, after a re-send or without a witness; %d nonces did not arrive;\n"+
		"                 their conversations wait for a person, and so do %d messages that came after\n", l.unconfirmed, l.lostUnconfirmed, l.behind)
}
