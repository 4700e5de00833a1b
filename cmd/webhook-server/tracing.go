package main

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"

	"github.com/whatsapp-operator/whatsapp-operator/internal/tracing"
)

// tracingGrace is for the last spans at the end; a collector that is away must not hold it up.
const tracingGrace = 5 * time.Second

// startTracing begins to record traces if the environment names a collector. end hands over what is left.
func startTracing(ctx context.Context, log logr.Logger) (tracer *tracing.Tracer, end func(), err error) {
	otel.SetLogger(log)
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Error(err, "Traces could not be handed over") }))
	if tracer, err = tracing.FromEnvironment(ctx, "webhook-server"); err != nil {
		return nil, nil, err
	}
	return tracer, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tracingGrace)
		defer cancel()
		if err := tracer.Shutdown(ctx); err != nil {
			log.Info("The last traces could not be handed over", "error", err.Error())
		}
	}, nil
}
