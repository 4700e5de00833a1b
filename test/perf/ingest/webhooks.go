package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

const (
	webhookPath     = "/webhooks/whatsapp"
	signatureHeader = "X-Hub-Signature-256"
	benchApp        = "670843887433847"
	// knownContacts write again and again; one message in newContactEvery comes from somebody new.
	knownContacts   = 5000
	newContactEvery = 10
	// lanes keep the numbers of several sources of webhooks apart.
	lanes = 1 << 40
)

// traffic makes webhooks: the nth one is always the same but for its time.
type traffic struct {
	channels int64
	// alwaysNew makes everybody write only once.
	alwaysNew bool
	// scattered makes ids as Meta does, from the customer's number and chance: what comes together lies apart in every index of ids. Others
	// only count.
	scattered bool
}

func benchPhone(channel int64) string { return fmt.Sprintf("1065403522%05d", channel) }
func benchWABA(channel int64) string  { return fmt.Sprintf("1022901293%05d", channel) }

// contact is who writes the nth message; the number that he writes to is the rest of its division by the channels.
func (t traffic) contact(n int64) int64 {
	n %= lanes
	switch {
	case t.alwaysNew:
		return t.stranger(n, n%t.channels)
	case n%newContactEvery == 0:
		return t.stranger(n/newContactEvery, n/newContactEvery%t.channels)
	default:
		return n * 7919 % knownContacts
	}
}

// stranger is somebody who has not written before, to the channel.
func (t traffic) stranger(n, channel int64) int64 { return (knownContacts+n)*t.channels + channel }

// companion is who writes the ith message of the nth webhook, to the channel. All companions differ.
func (t traffic) companion(n, i, channel int64) int64 {
	switch {
	case i == 0:
		return t.contact(n)
	case t.alwaysNew || (n+i)%newContactEvery == 0:
		return t.stranger((n+i)%lanes, channel)
	default:
		return (n*7919+i)%(knownContacts/t.channels)*t.channels + channel
	}
}

// message is the nth message, about 700 bytes in its envelope.
func (t traffic) message(n int64) []byte {
	return t.batch(n, 1)
}

// batch has several messages for one number, from different people, in one change: numbers n to n+count-1.
func (t traffic) batch(n int64, count int) []byte {
	channel := t.contact(n) % t.channels
	b := fmt.Appendf(nil, `{"object":"whatsapp_business_account","entry":[{"id":"%s","changes":[{"value":{"messaging_product":"whatsapp",`+
		`"metadata":{"display_phone_number":"15550783881","phone_number_id":"%s"},"contacts":[`, benchWABA(channel), benchPhone(channel))
	for i := range int64(count) {
		c := t.companion(n, i, channel)
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"profile":{"name":"Customer %d","username":"customer.%d"},"wa_id":"1650%011d","user_id":"US.134912%014d"}`, c, c, c, c)
	}
	b = append(b, `],"messages":[`...)
	now := time.Now().Unix()
	for i := range int64(count) {
		c := t.companion(n, i, channel)
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"from":"1650%011d","from_user_id":"US.134912%014d","id":"%s",`+
			`"timestamp":"%d","text":{"body":"Hello, do you have ferns for a dark corner of the bathroom, and do you deliver on Saturdays? Question %d"},"type":"text"}`,
			c, c, t.wamid(c, n+i), now, n+i)
	}
	return append(b, `]},"field":"messages"}]}]}`...)
}

// wamid is the id of the nth message, which the contact writes.
func (t traffic) wamid(contact, n int64) string {
	if !t.scattered {
		return fmt.Sprintf("wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQzQTdC%020d", n)
	}
	chance := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)))
	id := fmt.Appendf([]byte{0x1c, 0x18, 15}, "1650%011d", contact)
	id = append(id, 0x15, 0x02, 0x00, 0x12, 0x18, 20)
	return "wamid." + base64.StdEncoding.EncodeToString(append(fmt.Appendf(id, "%X", chance[:10]), 0))
}

// status tells what became of a message of ours.
func (t traffic) status(n int64, wamid, kind string) []byte {
	channel := t.contact(n) % t.channels
	return fmt.Appendf(nil, `{"object":"whatsapp_business_account","entry":[{"id":"%s","changes":[{"value":{"messaging_product":"whatsapp",`+
		`"metadata":{"display_phone_number":"15550783881","phone_number_id":"%s"},"contacts":[{"wa_id":"1650%011d","user_id":"US.134912%014d"}],`+
		`"statuses":[{"id":"%s","status":"%s","timestamp":"%d","recipient_id":"1650%011d","recipient_user_id":"US.134912%014d",`+
		`"conversation":{"id":"c0ffee5e1d8b4f0f","origin":{"type":"service"}},"pricing":{"billable":false,"pricing_model":"PMP","type":"free_customer_service","category":"service"}}]},`+
		`"field":"messages"}]}]}`,
		benchWABA(channel), benchPhone(channel), t.contact(n), t.contact(n), wamid, kind, time.Now().Unix(), t.contact(n), t.contact(n))
}

// sign is Meta's signature of a body.
func sign(secret, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}
