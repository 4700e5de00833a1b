package ingress

import (
	"math/rand/v2"
	"slices"

	"github.com/whatsapp-operator/whatsapp-operator/internal/meta/webhook"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// owner is who a webhook's secret belongs to: a MetaApp, or a line with an app of its own.
type owner struct {
	// key names it in the store.
	key string
	// app is the id of the app, line the line's if the secret is its own.
	app, line string
}

// lineOwner begins the keys of lines with an app of their own; the others are ids of apps, which are digits.
const lineOwner = "line:"

func ownerOf(c *runtimeconfig.Channel) owner {
	if c.Direct {
		return owner{key: lineOwner + c.LineID, app: c.AppID, line: c.LineID}
	}
	return owner{key: c.AppID, app: c.AppID}
}

// secretsOf returns the secrets that may sign for a channel; none if its app secret is not configured.
func secretsOf(s *runtimeconfig.Snapshot, c *runtimeconfig.Channel) []redact.Secret {
	current, previous := c.AppSecret, c.PreviousAppSecret
	if !c.Direct {
		app, ok := s.App(c.AppID)
		if !ok {
			return nil
		}
		current, previous = app.AppSecret, app.PreviousAppSecret
	}
	if current.IsZero() {
		return nil
	}
	return []redact.Secret{current, previous}
}

// named are the channels that a body's ids lead to, without repetition.
type named struct {
	// all of them: by number, then by account.
	all []*runtimeconfig.Channel
	// claimed are those that the body claims to be for: by number if there are such, for a number is exact, else by account.
	claimed []*runtimeconfig.Channel
}

func channelsNamed(s *runtimeconfig.Snapshot, within scope, phoneNumberIDs, wabaIDs []string) named {
	var n named
	add := func(c *runtimeconfig.Channel) {
		if within.has(c) && !slices.Contains(n.all, c) {
			n.all = append(n.all, c)
		}
	}
	for _, id := range phoneNumberIDs {
		if c, ok := s.Channel(id); ok {
			add(c)
		}
	}
	n.claimed = n.all
	for _, id := range wabaIDs {
		for _, c := range s.ChannelsOfWABA(id) {
			add(c)
		}
	}
	if len(n.claimed) == 0 {
		n.claimed = n.all
	}
	return n
}

// candidates are the secrets that may be tried on a body, at most maxSecrets.
type candidates struct {
	secrets []redact.Secret
	// more says that there are others, which were left out.
	more bool
}

func (c *candidates) add(secret redact.Secret) {
	switch {
	case secret.IsZero(), slices.ContainsFunc(c.secrets, secret.Equal):
	case len(c.secrets) == maxSecrets:
		c.more = true
	default:
		c.secrets = append(c.secrets, secret)
	}
}

// addChannels adds the secrets of the channels that a body names.
func (c *candidates) addChannels(s *runtimeconfig.Snapshot, channels []*runtimeconfig.Channel) {
	for _, channel := range channels {
		for _, secret := range secretsOf(s, channel) {
			c.add(secret)
		}
		if c.more {
			return
		}
	}
}

// addApps adds those of the MetaApps, whose webhooks may be for numbers that no channel claims yet. If they don't all fit it begins
// anywhere among them: when the body comes again, others are tried.
func (c *candidates) addApps(apps []*runtimeconfig.App) {
	n := 2 * len(apps)
	from := 0
	if len(c.secrets)+n > maxSecrets {
		from = rand.IntN(max(1, n)) //nolint:gosec // which is tried first is no secret
	}
	for k := range n {
		app := apps[(from+k)%n%len(apps)]
		if (from+k)%n < len(apps) {
			c.add(app.AppSecret)
		} else {
			c.add(app.PreviousAppSecret)
		}
	}
}

// signer is whose secret verified a body. Two different secrets never verify the same one.
type signer struct {
	secret redact.Secret
	// apps are the MetaApps that have the secret; usually one, none if it is a direct channel's.
	apps []string
}

// verify finds the secret that signed a body. all is false if there are secrets that were not tried.
func verify(s *runtimeconfig.Snapshot, within scope, channels []*runtimeconfig.Channel, body []byte, signature string) (by signer, ok, all bool) {
	if !wellFormed(signature) {
		return signer{}, false, true
	}
	apps := within.apps(s)
	var c candidates
	c.addChannels(s, channels)
	tried := 0
	for round := range 2 {
		if round == 1 {
			c.addApps(apps)
		}
		for ; tried < len(c.secrets); tried++ {
			secret := c.secrets[tried]
			if _, ok := webhook.Verify(signature, body, []byte(secret.Reveal())); !ok {
				continue
			}
			by := signer{secret: secret}
			for _, app := range apps {
				if app.AppSecret.Equal(secret) || app.PreviousAppSecret.Equal(secret) {
					by.apps = append(by.apps, app.AppID)
				}
			}
			return by, true, true
		}
	}
	return signer{}, false, !c.more
}

// owns says whether the signer may speak for a channel.
func (by signer) owns(c *runtimeconfig.Channel) bool {
	if c.Direct {
		return by.secret.Equal(c.AppSecret) || by.secret.Equal(c.PreviousAppSecret)
	}
	return slices.Contains(by.apps, c.AppID)
}
