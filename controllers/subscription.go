package controllers

import (
	"context"
	"sync"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/meta"
)

// subscriptions keeps the apps subscribed to the webhooks of accounts. Requests and channels of one account share it, so that
// they neither fight nor repeat each other: what is wanted follows from the app alone.
type subscriptions struct {
	mu    sync.Mutex
	locks map[string]*accountLock
}

type accountLock struct {
	sync.Mutex
	users int
}

// ensure makes Meta deliver the account's webhooks to the callback of the app. It reads first and writes only if the app is
// missing, or an override of the account sends its webhooks elsewhere; then it reads again, since Meta's "success" is no proof.
func (s *subscriptions) ensure(ctx context.Context, graph *meta.Client, cred meta.Credential, appID, wabaID string) error {
	defer s.lock(appID + "/" + wabaID)()
	subscribed, err := isSubscribed(ctx, graph, cred, appID, wabaID)
	if err != nil || subscribed {
		return err
	}
	// Safe to repeat, so it needs no intent: a crash after it finds the app subscribed.
	if err := graph.SubscribeApp(ctx, cred, wabaID, nil); err != nil {
		return err
	}
	subscribed, err = isSubscribed(ctx, graph, cred, appID, wabaID)
	if err == nil && !subscribed {
		return retry(nil, v1alpha1.ReasonGraphUnreachable, "Meta accepted the webhook subscription of the account %s and does not list it yet; looking again.", wabaID)
	}
	return err
}

// isSubscribed says whether the app gets the account's webhooks at its own callback.
func isSubscribed(ctx context.Context, graph *meta.Client, cred meta.Credential, appID, wabaID string) (bool, error) {
	apps, err := graph.SubscribedApps(ctx, cred, wabaID)
	if err != nil {
		return false, err
	}
	for _, app := range apps {
		if string(app.AppID) == appID {
			return app.OverrideCallbackURI == "", nil
		}
	}
	return false, nil
}

// remove ends the account's webhooks for the app. An account without them, or out of reach, is as good.
func (s *subscriptions) remove(ctx context.Context, app *graphApp, cred meta.Credential, wabaID string) error {
	defer s.lock(app.App.Spec.AppID + "/" + wabaID)()
	return app.Client.UnsubscribeApp(ctx, cred, wabaID)
}

// lock locks one account and returns the function that unlocks it. Locks that nobody uses are forgotten.
func (s *subscriptions) lock(account string) func() {
	s.mu.Lock()
	if s.locks == nil {
		s.locks = map[string]*accountLock{}
	}
	l, ok := s.locks[account]
	if !ok {
		l = &accountLock{}
		s.locks[account] = l
	}
	l.users++
	s.mu.Unlock()
	l.Lock()
	return func() {
		l.Unlock()
		s.mu.Lock()
		defer s.mu.Unlock()
		l.users--
		if l.users == 0 {
			delete(s.locks, account)
		}
	}
}
