package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// noncePattern finds the nonces of customers in what they wrote and what they got. It has nothing that a markup language could change.
var noncePattern = regexp.MustCompile(`n[0-9]{6}x[0-9a-f]{8}`)

// model is an OpenAI-compatible chat model that repeats the nonces of the messages that it is asked to answer.
type model struct {
	url    string
	server *http.Server
}

func startModel(ctx context.Context) (*model, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", complete)
	m := &model{url: "http://" + l.Addr().String() + "/v1", server: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}}
	go func() { _ = m.server.Serve(l) }() // ends with stop, and its clients notice an end before
	return m, nil
}

func (m *model) stop(ctx context.Context) error {
	if err := m.server.Shutdown(ctx); err != nil {
		return errors.Join(err, m.server.Close())
	}
	return nil
}

// chatRequest is the part of a request that the model looks at.
type chatRequest struct {
	Messages []struct {
		Role    string          `json:"role"`
		Content json.RawMessage `json:"content"` // text, or a list of parts
	} `json:"messages"`
	ResponseFormat json.RawMessage `json:"response_format"`
}

func complete(w http.ResponseWriter, r *http.Request) {
	var req chatRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		http.Error(w, `{"error":{"message":"no JSON"}}`, http.StatusBadRequest)
		return
	}
	// What the customer wrote since he was last answered.
	var asked []string
	for _, m := range req.Messages {
		switch m.Role {
		case "user":
			asked = append(asked, noncePattern.FindAllString(string(m.Content), -1)...)
		case "assistant":
			asked = nil
		}
	}
	text := "Noted: " + strings.Join(asked, " ")
	if len(req.ResponseFormat) > 0 {
		text = string(mustJSON(map[string]any{"text": text, "products": []string{}, "buttons": []string{}, "handoff": false}))
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(mustJSON(map[string]any{ // a client that is gone was killed
		"id": "chatcmpl-1", "object": "chat.completion", "model": "echo",
		"choices": []any{map[string]any{"index": 0, "finish_reason": "stop", "message": map[string]any{"role": "assistant", "content": text}}},
		"usage":   map[string]any{"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
	}))
}

// mustJSON encodes what consists of text, lists and maps.
func mustJSON(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}
