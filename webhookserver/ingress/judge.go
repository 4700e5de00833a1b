package ingress

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta/webhook"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/source"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// verdict is what is to be done with a body.
type verdict struct {
	// verified says that a known secret signed the body.
	verified bool
	// delivery is what to store; nil if nothing.
	delivery *store.Delivery
	// quarantine are the owners to keep the body for.
	quarantine []owner
	// retry asks Meta to deliver the body again, after what can be stored is.
	retry bool
	// events are what was not trusted.
	events []event
	// lines are the channels that something genuine came for, app the MetaApp that signed.
	lines []*runtimeconfig.Channel
	app   string
	// came is when the body was received, undated how many items say no time that can be read.
	came    time.Time
	undated int
}

// event is a security event. Its ids are ours.
type event struct {
	reason    serverapi.SecurityReason
	line, app string
}

// judgement is the way from a body to a verdict.
type judgement struct {
	verdict
	snapshot *runtimeconfig.Snapshot
	within   scope
	by       signer
	named    named
	// problems says that there are projections that can't be read: one of them may be whose id nobody seems to have.
	problems bool
}

// judge decides about a body. It does no I/O and doesn't keep body, but its verdict refers to it.
func judge(loaded *source.Loaded, within scope, body []byte, signature string, now time.Time) verdict {
	// What is no JSON has no ids either; the error says nothing more.
	phones, wabas, _ := webhook.PeekIDs(body)
	j := &judgement{snapshot: loaded.Snapshot, within: within, problems: len(loaded.Problems) > 0}
	j.came = now
	j.named = channelsNamed(j.snapshot, within, phones, wabas)
	var ok, all bool
	if j.by, ok, all = verify(j.snapshot, within, j.named.all, body, signature); !ok {
		j.unverified(signature)
		// With more MetaApps than are tried at once, it may be one's: it comes again, and others are tried.
		j.retry = j.retry || !all && len(j.named.claimed) == 0
		return j.verdict
	}
	j.verified = true
	if len(j.by.apps) > 0 {
		j.app = j.by.apps[0]
	}
	j.delivery = &store.Delivery{App: j.deliveryKey()}
	j.open(body)
	if empty(j.delivery) {
		j.delivery = nil
	}
	return j.verdict
}

func empty(d *store.Delivery) bool {
	return len(d.Messages)+len(d.Statuses)+len(d.IdentityMoves)+len(d.Handovers)+len(d.Raw)+len(d.Unclaimed)+len(d.DeadLetters) == 0
}

// deliveryKey names the signer in the store.
func (j *judgement) deliveryKey() string {
	for _, c := range j.named.all {
		if j.owns(c) {
			return ownerOf(c).key
		}
	}
	return j.app
}

// unverified decides about a body that no secret explains.
func (j *judgement) unverified(signature string) {
	if len(j.named.claimed) == 0 {
		j.report(serverapi.UnknownSender, nil)
		j.retry = j.problems
		return
	}
	for _, c := range j.named.claimed {
		if len(secretsOf(j.snapshot, c)) == 0 {
			j.retry = true // the app secret is not configured (yet)
			return
		}
	}
	j.report(serverapi.BadSignature, j.named.claimed[0])
	if !wellFormed(signature) {
		return // no secret will ever explain it
	}
	for _, c := range j.named.claimed {
		j.keepFor(c)
	}
}

// owns says whether the signer may speak for a channel, here.
func (j *judgement) owns(c *runtimeconfig.Channel) bool { return j.within.has(c) && j.by.owns(c) }

// wellFormed says whether some secret could have made the signature.
func wellFormed(signature string) bool {
	return len(signature) == webhook.SignatureLength && signature[:7] == "sha256="
}

// keepFor quarantines the body for the owner of a channel.
func (j *judgement) keepFor(c *runtimeconfig.Channel) {
	o := ownerOf(c)
	if len(j.quarantine) < maxQuarantinedUnder && !slices.Contains(j.quarantine, o) {
		j.quarantine = append(j.quarantine, o)
	}
}

func (j *judgement) report(reason serverapi.SecurityReason, c *runtimeconfig.Channel) {
	e := event{reason: reason, app: j.app}
	if c != nil {
		e.line, e.app = c.LineID, c.AppID
	}
	j.events = append(j.events, e)
}

// open decodes a verified body and judges each change.
func (j *judgement) open(body []byte) {
	envelope, err := webhook.Decode(body)
	if reason, text := refusal(err); text != "" {
		j.report(reason, nil)
		j.deadLetter("", kindBody, text, body)
		return
	}
	if envelope.Object != webhook.ObjectWhatsApp {
		j.report(serverapi.Unreadable, nil)
		j.deadLetter("", kindBody, "the body is not about WhatsApp", body)
		return
	}
	for i := range envelope.Entry {
		entry := &envelope.Entry[i]
		for n := range entry.Changes {
			j.change(entry, entry.Changes[n])
		}
	}
}

// refusal tells why a body or a change can't be read, to the manager and to who looks at the dead letter; nothing if it can.
func refusal(err error) (reason serverapi.SecurityReason, text string) {
	switch {
	case err == nil:
		return "", ""
	case errors.Is(err, webhook.ErrAmbiguous):
		return serverapi.DuplicateKeys, "a routing key is spelled twice or not in lower case"
	case errors.Is(err, webhook.ErrTooDeep):
		return serverapi.Unreadable, "it is nested too deeply"
	default:
		return serverapi.Unreadable, "the body is not a readable webhook"
	}
}

// Kinds of dead letters.
const (
	kindBody    = "body"
	kindChange  = "change"
	kindMessage = "message"
	kindStatus  = "status"
)

func (j *judgement) deadLetter(line, kind, reason string, raw []byte) {
	j.delivery.DeadLetters = append(j.delivery.DeadLetters, store.DeadLetter{
		App: j.delivery.App, Line: line, Kind: kind, Reason: reason, Raw: raw,
	})
}

// place is where a change belongs.
type place int

const (
	// nowhere: it was dropped, and reported.
	nowhere place = iota
	// onLine: a number of the signer's that a channel serves.
	onLine
	// unclaimed: a number of the signer's that no channel claims yet.
	unclaimed
	// onAccount: no number, but an account of the signer's.
	onAccount
	// ambiguous: more than one number.
	ambiguous
)

// change judges one change on its own: a neighbour that is not to be trusted costs it nothing.
func (j *judgement) change(entry *webhook.Entry, c webhook.Change) {
	if reason, text := refusal(c.Err); text != "" {
		j.report(reason, nil)
		j.deadLetter("", kindChange, text, c.Value)
		return
	}
	phones, wabas := c.RoutingIDs()
	if slices.Contains(phones, "") || slices.Contains(wabas, "") {
		j.report(serverapi.ForeignID, j.firstOwned())
		j.deadLetter("", kindChange, "the change names an empty id, or more ids than can be checked", c.Value)
		return
	}
	accounts := wabas
	if !j.waits(phones) {
		accounts = append(accounts, string(entry.ID))
	}
	if !j.ownsAccounts(accounts) {
		return
	}
	where, channel, phone := j.placeOf(entry, phones, wabas)
	switch where {
	case nowhere:
	case onLine:
		j.markGenuine(channel)
		j.project(entry, c, channel)
	case unclaimed:
		j.delivery.Unclaimed = append(j.delivery.Unclaimed, store.UnclaimedChange{
			App: j.app, WABAID: string(entry.ID), PhoneNumberID: phone, Field: c.Field, EntryTime: timeOr(entry.Time, time.Time{}), Raw: wholeChange(c),
		})
	case onAccount:
		j.projectAccount(entry, c, wabas)
	case ambiguous:
		j.deadLetter("", kindChange, "the change names more than one phone number", c.Value)
	}
}

// waits says whether a change is for a number that a channel of a MetaApp may yet claim. An account may have numbers of several apps, so
// it does not matter who serves the others: the number's own channel must be of the app and the account, or it never gets the change.
func (j *judgement) waits(phones []string) bool {
	if len(phones) != 1 || len(j.by.apps) == 0 || j.within.phone != "" {
		return false
	}
	_, served := j.snapshot.Channel(phones[0])
	_, gone := j.snapshot.Tombstone(phones[0])
	return !served && !gone
}

// ownsAccounts says whether every account that is served belongs to the signer.
func (j *judgement) ownsAccounts(wabas []string) bool {
	for _, id := range wabas {
		channels := j.snapshot.ChannelsOfWABA(id)
		if len(channels) > 0 && !slices.ContainsFunc(channels, j.owns) {
			j.refuse(channels[0])
			return false
		}
	}
	return true
}

// placeOf finds where a change belongs whose accounts are not somebody else's.
func (j *judgement) placeOf(entry *webhook.Entry, phones, wabas []string) (where place, channel *runtimeconfig.Channel, phone string) {
	if len(phones) == 0 {
		return j.accountPlace(append(wabas, string(entry.ID))), nil, ""
	}
	for _, id := range phones {
		c, ok := j.snapshot.Channel(id)
		_, gone := j.snapshot.Tombstone(id)
		switch {
		case ok && !j.owns(c):
			j.refuse(c)
			return nowhere, nil, ""
		case ok:
			channel = c
		case gone:
			j.report(serverapi.Tombstoned, nil)
			return nowhere, nil, ""
		case len(j.by.apps) == 0 || j.within.phone != "":
			return j.unknown(), nil, ""
		}
	}
	phone = phones[0]
	switch {
	case len(phones) > 1:
		return ambiguous, nil, ""
	case channel != nil:
		return onLine, channel, phone
	default:
		return unclaimed, nil, phone
	}
}

// accountPlace places a change that names no number.
func (j *judgement) accountPlace(wabas []string) place {
	for _, id := range wabas {
		if len(j.snapshot.ChannelsOfWABA(id)) > 0 {
			return onAccount
		}
	}
	if slices.ContainsFunc(wabas, j.snapshot.TombstonedWABA) {
		j.report(serverapi.Tombstoned, nil)
		return nowhere
	}
	if len(j.by.apps) == 0 {
		return j.unknown()
	}
	return onAccount
}

// unknown drops a change by a tenant's own app for an id that nobody has: a number or account that nobody connected, or anything
// that the app's owner made up. It comes again if it may be for a channel that can't be read.
func (j *judgement) unknown() place {
	j.report(serverapi.ForeignID, j.firstOwned())
	j.retry = j.retry || j.problems
	return nowhere
}

// firstOwned is a channel of a direct signer, to name in a report.
func (j *judgement) firstOwned() *runtimeconfig.Channel {
	if i := slices.IndexFunc(j.named.all, j.owns); i >= 0 {
		return j.named.all[i]
	}
	return nil
}

// refuse drops a change for a channel that the signer does not own. When both are of the same app, the channel's own secret is
// merely missing or out of date, and the body is kept for it instead.
func (j *judgement) refuse(c *runtimeconfig.Channel) {
	switch {
	case !j.within.has(c):
		j.report(serverapi.ForeignID, j.firstOwned()) // what it is for has a path of its own, or the shared one
	case len(secretsOf(j.snapshot, c)) == 0:
		j.retry = true
	case c.AppID != "" && j.isOfApp(c.AppID):
		j.report(serverapi.BadSignature, c)
		j.keepFor(c)
	default:
		j.report(serverapi.ForeignID, c)
	}
}

func (j *judgement) isOfApp(appID string) bool {
	return slices.Contains(j.by.apps, appID) || slices.ContainsFunc(j.named.all, func(c *runtimeconfig.Channel) bool {
		return c.AppID == appID && j.owns(c)
	})
}

func (j *judgement) markGenuine(c *runtimeconfig.Channel) {
	if !slices.Contains(j.lines, c) {
		j.lines = append(j.lines, c)
	}
}

// wholeChange is a change as received.
func wholeChange(c webhook.Change) []byte {
	raw, err := json.Marshal(c)
	if err != nil {
		return c.Value // decoded values encode again; this keeps the bytes if one ever does not
	}
	return raw
}
