package ingress

import (
	"strings"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// Paths of one app and of one number, to be followed by its id. What comes there is for the whole of Path, too, but only the secrets
// and numbers of that app, or that number's, count: an override of the callback URL keeps tenants apart before anything is read.
const (
	AppPath     = Path + "/apps/"
	ChannelPath = Path + "/channels/"
)

// scope is what a path is for. The zero scope is everything.
type scope struct{ app, phone string }

// scopeOf reads a path; ok is false if it is none of ours.
func scopeOf(path string) (s scope, ok bool) {
	if path == Path || path == "" { // bodies in quarantine may be older than paths
		return scope{}, true
	}
	if id, found := strings.CutPrefix(path, AppPath); found && isID(id) {
		return scope{app: id}, true
	}
	if id, found := strings.CutPrefix(path, ChannelPath); found && isID(id) {
		return scope{phone: id}, true
	}
	return scope{}, false
}

func isID(s string) bool {
	return s != "" && len(s) <= 32 && strings.Trim(s, "0123456789") == ""
}

// has says whether a channel belongs to the scope.
func (s scope) has(c *runtimeconfig.Channel) bool {
	return (s.app == "" || c.AppID == s.app) && (s.phone == "" || c.PhoneNumberID == s.phone)
}

// apps returns the MetaApps of the scope, sorted.
func (s scope) apps(snapshot *runtimeconfig.Snapshot) []*runtimeconfig.App {
	id := s.app
	switch {
	case s == scope{}:
		return snapshot.Apps()
	case s.phone != "":
		c, ok := snapshot.Channel(s.phone)
		if !ok || c.Direct {
			return nil
		}
		id = c.AppID
	}
	if app, ok := snapshot.App(id); ok {
		return []*runtimeconfig.App{app}
	}
	return nil
}

// greets says whether a verify token's owner may shake hands here.
func (s scope) greets(snapshot *runtimeconfig.Snapshot, h runtimeconfig.Handshaker) bool {
	if h.Channel != nil {
		return s.has(h.Channel)
	}
	if s == (scope{}) {
		return true
	}
	for _, app := range s.apps(snapshot) {
		if app.AppID == h.App.AppID {
			return true
		}
	}
	return false
}
