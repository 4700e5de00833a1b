package controllers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
)

// serverRecheck is how soon a replica that has not loaded a projection yet is asked again: it takes a watch event's time.
const serverRecheck = time.Second

// servers finds the replicas of the webhook-server and speaks to them.
type servers struct {
	live      client.Reader
	http      *http.Client
	namespace string
	service   string
	urls      []string
}

// Any returns a client of some replica; what is stored is the same on all.
func (s *servers) Any(ctx context.Context) (*serverapi.Client, error) {
	urls, err := s.replicas(ctx)
	if err != nil {
		return nil, err
	}
	if len(urls) == 0 {
		return nil, errNoReplica
	}
	token, err := s.token(ctx)
	if err != nil {
		return nil, err
	}
	return serverapi.New(s.http, urls[0], token), nil
}

var errNoReplica = errors.New("no replica of the webhook-server is ready")

// loaded fails until every ready replica has loaded an Object with this revision. Meta's handshake may come to any of them.
func (s *servers) loaded(ctx context.Context, object, revision string) error {
	urls, err := s.replicas(ctx)
	if err != nil {
		return err
	}
	if len(urls) == 0 {
		return blockedFor(serverRecheck, v1alpha1.ReasonServerNotReady, "No replica of the webhook-server is ready, so Meta's handshake would fail; see the Service %s/%s.",
			s.namespace, s.service)
	}
	token, err := s.token(ctx)
	if err != nil {
		return err
	}
	behind := 0
	for _, url := range urls {
		snapshot, err := serverapi.New(s.http, url, token).Snapshot(ctx)
		if err != nil || !snapshot.Synced || snapshot.Objects[object] != revision {
			behind++
		}
	}
	if behind > 0 {
		return blockedFor(serverRecheck, v1alpha1.ReasonServerNotReady,
			"%d of %d replicas of the webhook-server have not loaded the verify token yet, so Meta's handshake could fail.", behind, len(urls))
	}
	return nil
}

// replicas are the base URLs of the ready replicas' internal API.
func (s *servers) replicas(ctx context.Context) ([]string, error) {
	if len(s.urls) > 0 {
		return s.urls, nil
	}
	var slices discoveryv1.EndpointSliceList
	if err := s.live.List(ctx, &slices, client.InNamespace(s.namespace), client.MatchingLabels{discoveryv1.LabelServiceName: s.service}); err != nil {
		return nil, fmt.Errorf("list the webhook-server's endpoints: %w", err)
	}
	return endpointURLs(slices.Items), nil
}

// endpointURLs are the addresses of ready endpoints, each once.
func endpointURLs(all []discoveryv1.EndpointSlice) []string {
	var urls []string
	for _, slice := range all {
		if len(slice.Ports) == 0 || slice.Ports[0].Port == nil {
			continue
		}
		port := strconv.Itoa(int(*slice.Ports[0].Port))
		for _, endpoint := range slice.Endpoints {
			if !ptr.Deref(endpoint.Conditions.Ready, true) {
				continue
			}
			for _, address := range endpoint.Addresses {
				urls = append(urls, "http://"+net.JoinHostPort(address, port))
			}
		}
	}
	slices.Sort(urls)
	return slices.Compact(urls)
}

// token is the bearer token of the internal API, read live: it is asked for rarely, and a deleted one is made anew.
func (s *servers) token(ctx context.Context) (redact.Secret, error) {
	secret, err := readSecret(ctx, s.live, "the manager", s.namespace, runtimeconfig.InternalName)
	if err != nil {
		return redact.Secret{}, err
	}
	return redact.New(string(secret.Data[runtimeconfig.KeyBearerToken])), nil
}
