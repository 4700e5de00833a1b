package main

import (
	"context"
	"encoding/json"
	"fmt"
)

// object is what the demo reads of any of the three kinds.
type object struct {
	Status struct {
		Conditions []struct {
			Type    string `json:"type"`
			Status  string `json:"status"`
			Reason  string `json:"reason"`
			Message string `json:"message"`
		} `json:"conditions"`
		CallbackURL          string `json:"callbackURL"`
		VerifyTokenSecretRef struct {
			Name string `json:"name"`
			Key  string `json:"key"`
		} `json:"verifyTokenSecretRef"`
	} `json:"status"`
}

func (s *story) get(ctx context.Context, namespace, kind, name string) (object, error) {
	var o object
	text, err := s.w.cluster.Kubectl(ctx, "get", "--namespace="+namespace, kind, name, "-o", "json")
	if err != nil {
		return o, err
	}
	err = json.Unmarshal([]byte(text), &o)
	return o, err
}

// watch prints each condition that has changed since it was last shown, until the wanted one is True.
func (s *story) watch(ctx context.Context, namespace, kind, name, wanted string) error {
	return await(ctx, onboardTimeout, func(ctx context.Context) (string, error) {
		o, err := s.get(ctx, namespace, kind, name)
		if err != nil {
			return "", err
		}
		missing := fmt.Sprintf("%s %s has no condition %s", kind, name, wanted)
		for _, c := range o.Status.Conditions {
			state, subject := c.Status+" "+c.Reason, kind+"/"+name+"/"+c.Type
			if s.shown[subject] != state {
				s.shown[subject] = state
				s.out.seen("%s %s: %s=%s (%s)", kind, name, c.Type, c.Status, c.Reason)
			}
			if c.Type == wanted {
				missing = fmt.Sprintf("%s %s: %s=%s (%s): %s", kind, name, c.Type, c.Status, c.Reason, c.Message)
				if c.Status == "True" {
					missing = ""
				}
			}
		}
		return missing, nil
	})
}
