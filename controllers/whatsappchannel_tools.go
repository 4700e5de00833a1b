package controllers

import (
	"context"
	"fmt"
	"net/textproto"
	"time"

	"k8s.io/utils/ptr"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

const (
	// Defaults of the API server, for objects that were stored before a field had one.
	defaultToolTimeout    = 10 * time.Second
	defaultMaxResultBytes = 16384
)

// readTools turns the tool sources into what the server gets, reading the Secrets with their headers.
func (r *WhatsAppChannelReconciler) readTools(ctx context.Context, s *channelScope) error {
	for i := range s.channel.Spec.Assistant.Tools {
		t := &s.channel.Spec.Assistant.Tools[i]
		server := runtimeconfig.ToolServer{
			Name: t.Name, URL: t.MCP.URL, AllowedTools: t.MCP.AllowedTools, Timeout: duration(t.MCP.Timeout, defaultToolTimeout),
			MaxResultBytes: t.MCP.MaxResultBytes, SideEffect: ptr.Deref(t.SideEffect, false),
		}
		if server.MaxResultBytes == 0 {
			server.MaxResultBytes = defaultMaxResultBytes
		}
		if ref := t.MCP.HeadersSecretRef; ref != nil {
			field := fmt.Sprintf("spec.assistant.tools[%d].mcp.headersSecretRef", i)
			secret, err := readSecret(ctx, r.live, field, s.channel.Namespace, ref.Name)
			if err != nil {
				return err
			}
			server.Headers = map[string]redact.Secret{}
			for name, value := range secret.Data {
				server.Headers[textproto.CanonicalMIMEHeaderKey(name)] = redact.New(string(value))
			}
		}
		s.settings.Assistant.Tools = append(s.settings.Assistant.Tools, server)
	}
	return nil
}

// readOrders reads the key that signs the calls about orders.
func (r *WhatsAppChannelReconciler) readOrders(ctx context.Context, s *channelScope) error {
	const field = "spec.orders.notify.signingSecretRef"
	if s.channel.Spec.Orders == nil || s.channel.Spec.Orders.Notify == nil {
		return nil
	}
	notify := s.channel.Spec.Orders.Notify
	secret, err := readSecret(ctx, r.live, field, s.channel.Namespace, notify.SigningSecretRef.Name)
	if err != nil {
		return err
	}
	key, err := secretValue(secret, field, keyOr(&notify.SigningSecretRef, "signing-key"))
	if err != nil {
		return err
	}
	s.settings.Orders.Notify = &runtimeconfig.OrderNotify{URL: notify.URL, SigningKey: key}
	return nil
}
