package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// linkCustomer is a business that gets a signup link: its namespace, and what it has at Meta.
type linkCustomer struct {
	namespace, name             string
	business, waba, phone, line string
}

var (
	cafe = linkCustomer{"corner-cafe", "Corner Cafe", "2729063490586200", "102290129340600", "106540352243000", "+1 555-078-4100"}
	bike = linkCustomer{"bike-shop", "Bike Shop", "2729063490586300", "102290129340700", "106540352243100", "+1 555-078-4200"}
)

// link plays a customer who signs up by a link, driving page and window over HTTP, and the platform that approves the account.
func (s *story) link(ctx context.Context) error {
	url, err := s.offerLink(ctx, cafe)
	if err != nil {
		return err
	}
	if text, err := s.w.httpText(ctx, http.MethodGet, url, nil); err != nil || !strings.Contains(text, "Connect your WhatsApp number") {
		return fmt.Errorf("the signup page does not invite: %w\n%s", err, text)
	}
	s.out.seen("the customer opened the link: the page offers Meta's Embedded Signup")
	finished, err := call[struct {
		Code  string `json:"code"`
		Event struct {
			Event string         `json:"event"`
			Data  map[string]any `json:"data"`
		} `json:"event"`
	}](ctx, s.w.sim, http.MethodPost, "/dialog/embedded-signup", map[string]any{"appID": partnerApp, "wabaID": cafe.waba, "outcome": "finish"})
	if err != nil {
		return err
	}
	text, err := s.w.httpText(ctx, http.MethodPost, url, map[string]any{
		"code": finished.Code, "event": finished.Event.Event, "wabaID": finished.Event.Data["waba_id"], "phoneNumberID": finished.Event.Data["phone_number_id"],
	})
	if err != nil {
		return err
	}
	var taken struct {
		Attempt string `json:"attempt"`
	}
	if err := json.Unmarshal([]byte(text), &taken); err != nil {
		return err
	}
	s.out.seen("the page handed the code over to the manager")
	if err := s.awaitPage(ctx, url+"/outcome?attempt="+taken.Attempt, "waiting"); err != nil {
		return err
	}
	if _, err := s.w.cluster.Kubectl(ctx, "-n", cafe.namespace, "patch", "onboardingrequest", cafe.namespace, "--type=merge",
		"-p", fmt.Sprintf(`{"spec":{"wabaID":%q}}`, cafe.waba)); err != nil {
		return err
	}
	s.out.seen("kubectl patch onboardingrequest %s (the platform approves the account; nothing was paid for before)", cafe.namespace)
	if err := s.watch(ctx, cafe.namespace, "onboardingrequest", cafe.namespace, "Ready"); err != nil {
		return err
	}
	return s.awaitPage(ctx, url+"/outcome", "done")
}

// awaitPage asks the page how the signup stands until it has a look.
func (s *story) awaitPage(ctx context.Context, url, look string) error {
	return await(ctx, onboardTimeout, func(ctx context.Context) (string, error) {
		text, err := s.w.httpText(ctx, http.MethodGet, url, nil)
		if err != nil {
			return "", err
		}
		var said struct {
			Look  string `json:"look"`
			Title string `json:"title"`
		}
		if err := json.Unmarshal([]byte(text), &said); err != nil {
			return "", err
		}
		if said.Look != look {
			return fmt.Sprintf("the page's look %q; it says %q", look, said.Title), nil
		}
		s.out.quote("the page", said.Title)
		return "", nil
	})
}

// offerLink asks for a link for a customer and returns it, with the host that it has from here.
func (s *story) offerLink(ctx context.Context, c linkCustomer) (string, error) {
	if _, err := call[any](ctx, s.w.sim, http.MethodPost, "/sim/v1/world", map[string]any{
		"businesses": []any{map[string]any{"id": c.business, "name": c.name}},
		"wabas": []any{map[string]any{
			"id": c.waba, "name": c.name, "currency": "USD", "ownerBusinessID": c.business,
			"phoneNumbers": []any{map[string]any{"id": c.phone, "displayPhoneNumber": c.line, "verifiedName": c.name}},
		}},
	}); err != nil {
		return "", err
	}
	manifest := fmt.Sprintf(`apiVersion: v1
kind: Namespace
metadata: {name: %[1]s, labels: {example.com/whatsapp: enabled}}
---
apiVersion: whatsapp-operator.dev/v1alpha1
kind: OnboardingRequest
metadata: {name: %[1]s, namespace: %[1]s}
spec: {metaAppRef: {name: acme-connect}, currency: USD}
`, c.namespace)
	if _, err := s.w.cluster.KubectlWithInput(ctx, strings.NewReader(manifest), "apply", "--server-side", "-f", "-"); err != nil {
		return "", err
	}
	s.out.seen("kubectl apply: an OnboardingRequest without codeSecretRef in %s", c.namespace)
	if err := await(ctx, onboardTimeout, func(ctx context.Context) (string, error) {
		o, err := s.get(ctx, c.namespace, "onboardingrequest", c.namespace)
		for _, condition := range o.Status.Conditions {
			if condition.Type == "Ready" && condition.Reason == "WaitingForSignup" {
				return "", err
			}
		}
		return "a signup link", err
	}); err != nil {
		return "", err
	}
	url, err := s.secretValue(ctx, c.namespace, c.namespace+"-signup-link", "url")
	if err != nil {
		return "", err
	}
	s.out.seen("its signup link lies in the Secret %s-signup-link", c.namespace)
	return strings.Replace(url, publicURL, s.w.serverURL, 1), nil
}

// httpText does a request of one of our programs; body is sent as JSON.
func (w *world) httpText(ctx context.Context, method, url string, body any) (text string, err error) {
	var payload io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return "", err
		}
		payload = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, payload)
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := w.sim.client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }() // read to its end or useless
	data, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("a %s was answered with %d: %s", method, res.StatusCode, data)
	}
	return string(data), err
}
