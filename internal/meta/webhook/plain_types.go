package webhook

import "encoding/json"

// The types of ordinary webhooks, as plain reads them. Members that are missing here make a webhook an odd one.

func (p *plain) envelope(e *Envelope) bool {
	return p.object(func(key string) bool {
		switch key {
		case "object":
			return str(p, &e.Object)
		case "entry":
			return list(p, &e.Entry, (*plain).entry)
		default:
			return p.skip()
		}
	})
}

func (p *plain) entry(e *Entry) bool {
	return p.object(func(key string) bool {
		switch key {
		case "id":
			return str(p, &e.ID)
		case "time":
			return p.timestamp(&e.Time)
		case "field":
			return str(p, &e.Field)
		case "changes":
			return list(p, &e.Changes, (*plain).change)
		default:
			return p.skip()
		}
	})
}

func (p *plain) change(c *Change) bool {
	return p.object(func(key string) bool {
		switch key {
		case "field":
			return str(p, &c.Field)
		case "value":
			return p.changed(c)
		default:
			return p.skip()
		}
	})
}

// changed reads the value of a change. Nearly all are of messages, and to read them as such takes no longer than to see where they end.
func (p *plain) changed(c *Change) bool {
	p.next()
	start := p.pos
	v := &Value{}
	if !p.value(v) {
		p.pos = start
		return p.raw(&c.Value)
	}
	c.Value, c.messages = p.data[start:p.pos:p.pos], v
	return true
}

func (p *plain) value(v *Value) bool {
	return p.object(func(key string) bool {
		switch key {
		case "metadata":
			return p.metadata(&v.Metadata)
		case "contacts":
			return list(p, &v.Contacts, (*plain).contact)
		case "messages":
			return list(p, &v.Messages, (*plain).message)
		case "statuses":
			return list(p, &v.Statuses, (*plain).status)
		case "conversation_context":
			return p.raw(&v.Context)
		case "message_echoes", "errors":
			return false
		default:
			return p.skip()
		}
	})
}

func (p *plain) metadata(m *Metadata) bool {
	return p.object(func(key string) bool {
		switch key {
		case "display_phone_number":
			return str(p, &m.DisplayPhoneNumber)
		case "phone_number_id":
			return str(p, &m.PhoneNumberID)
		default:
			return p.skip()
		}
	})
}

func (p *plain) contact(c *Contact) bool {
	return p.object(func(key string) bool {
		switch key {
		case "profile":
			return p.object(func(key string) bool {
				switch key {
				case "name":
					return str(p, &c.Profile.Name)
				case "username":
					return str(p, &c.Profile.Username)
				default:
					return p.skip()
				}
			})
		case "wa_id":
			return str(p, &c.WhatsAppID)
		case "user_id":
			return str(p, &c.UserID)
		case "parent_user_id":
			return str(p, &c.ParentUserID)
		case "identity_key_hash":
			return str(p, &c.IdentityKeyHash)
		default:
			return p.skip()
		}
	})
}

// message reads a message. An odd one does not make the others odd.
func (p *plain) message(m *Message) bool {
	p.next()
	start := p.pos
	if p.members(m) {
		m.Raw = p.data[start:p.pos:p.pos]
		return true
	}
	var raw json.RawMessage
	p.pos = start
	return p.raw(&raw) && m.UnmarshalJSON(raw) == nil
}

func (p *plain) members(m *Message) bool {
	return p.object(func(key string) bool {
		switch key {
		case "from":
			return str(p, &m.From)
		case "from_user_id":
			return str(p, &m.FromUserID)
		case "from_parent_user_id":
			return str(p, &m.FromParentUserID)
		case "id":
			return str(p, &m.ID)
		case "timestamp":
			return p.timestamp(&m.Timestamp)
		case "type":
			return str(p, &m.Type)
		case "group_id":
			return str(p, &m.GroupID)
		case "text":
			m.Text = &TextContent{}
			return p.textContent(m.Text)
		case "context":
			m.Context = &Context{}
			return p.context(m.Context)
		case "referral":
			return p.raw(&m.Referral)
		case "identity":
			return p.raw(&m.Identity)
		case "errors":
			return false
		default:
			return p.skip()
		}
	})
}

func (p *plain) textContent(t *TextContent) bool {
	return p.object(func(key string) bool {
		if key == "body" {
			return str(p, &t.Body)
		}
		return p.skip()
	})
}

func (p *plain) context(c *Context) bool {
	return p.object(func(key string) bool {
		switch key {
		case "from":
			return str(p, &c.From)
		case "id":
			return str(p, &c.ID)
		case "forwarded":
			return p.boolean(&c.Forwarded)
		case "frequently_forwarded":
			return p.boolean(&c.FrequentlyForwarded)
		case "referred_product":
			return p.raw(&c.ReferredProduct)
		default:
			return p.skip()
		}
	})
}

// status reads a status. An odd one does not make the others odd.
func (p *plain) status(s *Status) bool {
	p.next()
	start := p.pos
	if p.statusMembers(s) {
		s.Raw = p.data[start:p.pos:p.pos]
		return true
	}
	var raw json.RawMessage
	p.pos = start
	return p.raw(&raw) && s.UnmarshalJSON(raw) == nil
}

func (p *plain) statusMembers(s *Status) bool {
	return p.object(func(key string) bool {
		switch key {
		case "id":
			return str(p, &s.ID)
		case "status":
			return str(p, &s.Status)
		case "timestamp":
			return p.timestamp(&s.Timestamp)
		case "recipient_id":
			return str(p, &s.RecipientID)
		case "recipient_user_id":
			return str(p, &s.RecipientUserID)
		case "recipient_parent_user_id":
			return str(p, &s.RecipientParentUserID)
		case "recipient_type":
			return str(p, &s.RecipientType)
		case "recipient_participant_id":
			return str(p, &s.RecipientParticipantID)
		case "biz_opaque_callback_data":
			return str(p, &s.CallbackData)
		case "pricing":
			return p.next() != 'n' && p.raw(&s.Pricing)
		case "errors":
			return false
		default:
			return p.skip()
		}
	})
}
