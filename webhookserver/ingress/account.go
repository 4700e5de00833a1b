package ingress

import (
	"regexp"
	"slices"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta/webhook"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// accountFields are the fields that tell the manager something about an account or a number.
var accountFields = []string{
	"account_alerts", "account_review_update", "account_settings_update", "account_update", "automatic_events",
	"business_capability_update", "business_username_update", "flows", "message_template_components_update",
	"message_template_quality_update", "message_template_status_update", "partner_solutions", "payment_configuration_update",
	"phone_number_name_update", "phone_number_quality_update", "security", "template_category_update",
}

// raw keeps a change of a served number as received.
func (j *judgement) raw(entry *webhook.Entry, c webhook.Change, channel *runtimeconfig.Channel) {
	j.keepRaw(entry, c, store.RawChange{
		Line: channel.LineID, WABAID: channel.WABAID, PhoneNumberID: channel.PhoneNumberID,
		Report: accountReport(c, channel.LineID, channel.AppID, channel.WABAID),
	})
}

// projectAccount keeps a change that names no number by its id. It belongs to a line if the account has no other, or if the change
// names the line's number in digits.
func (j *judgement) projectAccount(entry *webhook.Entry, c webhook.Change, wabas []string) {
	// The entry of a partner's event names a business. Whom the signer speaks for was checked for what is served only, so that goes
	// before anything else that the change names.
	ids := slices.Concat(wabas, []string{string(entry.ID)})
	row := store.RawChange{WABAID: ids[0]}
	served := func(id string) bool { return len(j.snapshot.ChannelsOfWABA(id)) > 0 }
	if i := slices.IndexFunc(ids, served); i >= 0 {
		row.WABAID = ids[i]
	}
	app := j.app
	var channels []*runtimeconfig.Channel
	for _, channel := range j.snapshot.ChannelsOfWABA(row.WABAID) {
		channels = append(channels, channel)
		if j.owns(channel) {
			j.markGenuine(channel)
			app = channel.AppID
		}
	}
	if number := c.DisplayNumber(); number != "" && len(channels) > 1 {
		channels = slices.DeleteFunc(channels, func(channel *runtimeconfig.Channel) bool {
			return webhook.Digits(channel.DisplayNumber) != number || !j.owns(channel)
		})
	}
	if len(channels) == 1 {
		row.Line, row.PhoneNumberID = channels[0].LineID, channels[0].PhoneNumberID
	}
	row.Report = accountReport(c, row.Line, app, row.WABAID)
	j.keepRaw(entry, c, row)
}

func (j *judgement) keepRaw(entry *webhook.Entry, c webhook.Change, row store.RawChange) {
	row.App, row.Field, row.EntryTime, row.Raw = j.delivery.App, c.Field, timeOr(entry.Time, time.Time{}), c.Value
	j.delivery.Raw = append(j.delivery.Raw, row)
}

// word is what an event's name may look like to be passed on.
var word = regexp.MustCompile(`^[A-Z0-9_]{1,64}$`)

// accountReport tells the manager of an account's change, by its name alone: the manager asks Graph for the rest.
func accountReport(c webhook.Change, line, app, waba string) *store.Report {
	if !slices.Contains(accountFields, c.Field) {
		return nil
	}
	detail := serverapi.Account{Field: c.Field, WABAID: waba}
	if name := c.EventName(); word.MatchString(name) {
		detail.Event = name
	}
	return newReport(serverapi.KindAccountEvent, line, app, detail)
}

// timeOr reads a timestamp. A message whose time can't be read is as old as its arrival.
func timeOr(t webhook.Timestamp, otherwise time.Time) time.Time {
	if parsed, err := t.Time(); err == nil {
		return parsed
	}
	return otherwise
}
