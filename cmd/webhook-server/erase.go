package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/go-logr/logr"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
)

const (
	// tokenTimeout bounds the wait for the credential of the internal API.
	tokenTimeout = 30 * time.Second
	// eraseTimeout exceeds what the server takes for an erasure.
	eraseTimeout = 11 * time.Minute
)

// erase asks a running server to forget a person: SQLite has no place for a second process beside it.
func erase(ctx context.Context, args []string, out io.Writer) error {
	var cfg config
	var e serverapi.Erasure
	fs := flag.NewFlagSet("webhook-server erase", flag.ContinueOnError)
	fs.StringVar(&cfg.channelsDir, "channels-dir", "", "the server's directory of channels, in place of Kubernetes")
	fs.StringVar(&cfg.kubeconfig, "kubeconfig", "", "kubeconfig; empty means the service account of the pod")
	fs.StringVar(&cfg.runtimeNamespace, "runtime-namespace", "whatsapp-runtime", "namespace of what the manager projects")
	internal := fs.String("internal-url", "http://127.0.0.1:8081", "the server's internal API")
	fs.StringVar(&e.PhoneNumberID, "phone-number-id", "", "Meta's id of the business's number (required)")
	fs.StringVar(&e.Phone, "phone", "", "the person's phone number")
	fs.StringVar(&e.UserID, "user-id", "", "the person's business-scoped user id")
	if err := fs.Parse(args); err != nil {
		return err
	}
	switch {
	case fs.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case e.PhoneNumberID == "":
		return errors.New("--phone-number-id is required: a person is erased from one number of the business")
	case e.Phone == "" && e.UserID == "":
		return errors.New("--phone or --user-id is required: who is to be erased?")
	}
	token, err := bearerToken(ctx, cfg)
	if err != nil {
		return err
	}
	hc := serverapi.NewPatientHTTPClient(eraseTimeout)
	defer hc.CloseIdleConnections()
	erased, err := serverapi.New(hc, *internal, token).Erase(ctx, e)
	if err != nil {
		return fmt.Errorf("the erasure is not complete: %w; repeat it", err)
	}
	return json.NewEncoder(out).Encode(erased)
}

// bearerToken is the credential that the manager projects for the internal API.
func bearerToken(ctx context.Context, cfg config) (redact.Secret, error) {
	cluster, err := newCluster(cfg)
	if err != nil {
		return redact.Secret{}, err
	}
	from, err := newSource(cfg, cluster, logr.Discard())
	if err != nil {
		return redact.Secret{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	var failed error
	ended := make(chan struct{})
	go func() { defer close(ended); failed = from.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	for {
		loaded := from.View().Load()
		if token := loaded.Snapshot.BearerToken(); loaded.Synced && !token.IsZero() {
			return token, nil
		}
		select {
		case <-loaded.Replaced():
		case <-ended:
			return redact.Secret{}, errors.Join(errors.New("the projection can't be read"), failed)
		case <-ctx.Done():
			return redact.Secret{}, errors.New("the credential of the internal API can't be read: run this where the server runs, with its flags and service account")
		}
	}
}
