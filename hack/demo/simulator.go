package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// simulator plays Meta; its admin API plays the people that Meta serves.
type simulator struct {
	url    string
	client *http.Client
}

func newSimulator(url string) *simulator {
	return &simulator{url: url, client: &http.Client{Timeout: 20 * time.Second}}
}

// simWorld is the part of Meta's side that the platform team and the customers copy from Meta's pages.
type simWorld struct {
	Apps []struct {
		ID     string `json:"id"`
		Secret string `json:"secret"`
	} `json:"apps"`
	SystemUsers []struct {
		AppID string `json:"appID"`
		Token string `json:"token"`
	} `json:"systemUsers"`
}

func (w simWorld) appSecret(appID string) string {
	for _, app := range w.Apps {
		if app.ID == appID {
			return app.Secret
		}
	}
	return ""
}

func (w simWorld) systemToken(appID string) string {
	for _, user := range w.SystemUsers {
		if user.AppID == appID {
			return user.Token
		}
	}
	return ""
}

// simMessage is one message of a conversation, as the customer's phone shows it.
type simMessage struct {
	Direction   string `json:"direction"`
	Type        string `json:"type"`
	Text        string `json:"text"`
	Wamid       string `json:"wamid"`
	Status      string `json:"status"`
	Read        bool   `json:"read"`
	TypingShown bool   `json:"typingShown"`
}

// simDelivery is one webhook and what our server answered.
type simDelivery struct {
	ID         int    `json:"id"`
	Status     string `json:"status"`
	LastStatus int    `json:"lastStatus"`
}

func (s *simulator) world(ctx context.Context) (simWorld, error) {
	return call[simWorld](ctx, s, http.MethodGet, "/sim/v1/world?secrets=true", nil)
}

// signUp plays the customer who finishes Embedded Signup; the result is the one-time code.
func (s *simulator) signUp(ctx context.Context, appID, wabaID string) (string, error) {
	out, err := call[struct {
		Code string `json:"code"`
	}](ctx, s, http.MethodPost, "/sim/v1/codes", map[string]any{"appID": appID, "wabaIDs": []string{wabaID}})
	return out.Code, err
}

// configureWebhook plays the person who enters callback URL and verify token in the App Dashboard.
func (s *simulator) configureWebhook(ctx context.Context, appID, callbackURL, verifyToken string) error {
	_, err := call[any](ctx, s, http.MethodPut, "/sim/v1/apps/"+appID+"/webhook",
		map[string]any{"callbackURL": callbackURL, "verifyToken": verifyToken, "fields": []string{"messages"}})
	return err
}

// write plays the customer who sends a text. It returns the webhook delivery that follows.
func (s *simulator) write(ctx context.Context, from, phoneNumberID, text string) (delivery int, err error) {
	sent, err := call[struct {
		Deliveries []int `json:"deliveries"`
	}](ctx, s, http.MethodPost, "/sim/v1/messages", map[string]any{"from": from, "phoneNumberID": phoneNumberID, "text": text})
	if err != nil {
		return 0, err
	}
	if len(sent.Deliveries) == 0 {
		return 0, errors.New("this number's messages are delivered to nobody; is the app subscribed?")
	}
	return sent.Deliveries[0], nil
}

// forge plays an attacker who knows the address and the ids, but no app secret.
func (s *simulator) forge(ctx context.Context, from, phoneNumberID, text string) (simDelivery, error) {
	return call[simDelivery](ctx, s, http.MethodPost, "/sim/v1/deliveries/forged",
		map[string]any{"from": from, "phoneNumberID": phoneNumberID, "text": text})
}

// replay delivers a webhook once more, as Meta may.
func (s *simulator) replay(ctx context.Context, id int) (simDelivery, error) {
	return call[simDelivery](ctx, s, http.MethodPost, fmt.Sprintf("/sim/v1/deliveries/%d/replay", id), map[string]any{})
}

func (s *simulator) conversation(ctx context.Context, phoneNumberID, customer string) ([]simMessage, error) {
	return call[[]simMessage](ctx, s, http.MethodGet, "/sim/v1/conversations/"+url.PathEscape(phoneNumberID)+"/"+url.PathEscape(customer), nil)
}

// call does one request of the simulator's admin API.
func call[T any](ctx context.Context, s *simulator, method, path string, body any) (out T, err error) {
	var payload io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return out, err
		}
		payload = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, payload)
	if err != nil {
		return out, err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return out, err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end or useless
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return out, err
	}
	if resp.StatusCode != http.StatusOK {
		return out, fmt.Errorf("the simulator answered %s %s with %d: %s", method, req.URL.Path, resp.StatusCode, bytes.TrimSpace(data))
	}
	err = json.Unmarshal(data, &out)
	return out, err
}
