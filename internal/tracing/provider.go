package tracing

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"net/url"
	"os"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// FromEnvironment makes a Tracer as OpenTelemetry's environment variables say; nil if OTEL_EXPORTER_OTLP_ENDPOINT and
// OTEL_EXPORTER_OTLP_TRACES_ENDPOINT are not set, or it is turned off. Spans are handed over in batches, beside the work; a collector that
// is away costs some of them and nothing else. Errors name the variable.
func FromEnvironment(ctx context.Context, service string) (*Tracer, error) {
	endpoint := firstOf("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
	if endpoint.value == "" || strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return nil, nil //nolint:nilnil // a nil Tracer is one that is off
	}
	switch exporter := os.Getenv("OTEL_TRACES_EXPORTER"); exporter {
	case "", "otlp":
	case "none":
		return nil, nil //nolint:nilnil // the same
	default:
		return nil, errors.New("OTEL_TRACES_EXPORTER must be otlp or none")
	}
	if err := checkEndpoint(endpoint); err != nil {
		return nil, err
	}
	if protocol := firstOf("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"); protocol.value != "" && protocol.value != "http/protobuf" {
		return nil, errors.New(protocol.name + " must be http/protobuf: the port of collectors for it is 4318, not 4317")
	}
	ratio, err := ratioFromEnvironment()
	if err != nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("the exporter of traces: %w", err)
	}
	// The variables for names and attributes of the process win over what is said here.
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", service)), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	return New(sdktrace.NewBatchSpanProcessor(exporter), ratio, sdktrace.WithResource(about)), nil
}

func checkEndpoint(v variable) error {
	u, err := url.Parse(v.value)
	switch {
	case err != nil, u.Host == "", u.Scheme != "http" && u.Scheme != "https":
		return errors.New(v.name + " must look like http://collector:4318")
	case u.User != nil:
		return errors.New(v.name + " must not hold a user or password, which errors may quote; use OTEL_EXPORTER_OTLP_HEADERS")
	default:
		return nil
	}
}

// New makes a Tracer that hands spans to a processor. ratio is how many of all traces are recorded, from 0 to 1.
func New(to sdktrace.SpanProcessor, ratio float64, options ...sdktrace.TracerProviderOption) *Tracer {
	// Each process decides by the trace's id rather than by what another one has decided, which it is not told.
	byID := sdktrace.TraceIDRatioBased(ratio)
	provider := sdktrace.NewTracerProvider(append(options,
		sdktrace.WithSpanProcessor(to), sdktrace.WithIDGenerator(ids{}),
		sdktrace.WithSampler(sdktrace.ParentBased(byID, sdktrace.WithRemoteParentSampled(byID), sdktrace.WithRemoteParentNotSampled(byID))),
	)...)
	return &Tracer{provider: provider, tracer: provider.Tracer(scope)}
}

// ratioFromEnvironment reads which share of all traces is recorded. The samplers that ask a parent first come to the same here: a trace
// begins with us.
func ratioFromEnvironment() (float64, error) {
	switch os.Getenv("OTEL_TRACES_SAMPLER") {
	case "", "always_on", "parentbased_always_on":
		return 1, nil
	case "always_off", "parentbased_always_off":
		return 0, nil
	case "traceidratio", "parentbased_traceidratio":
	default:
		return 0, errors.New("OTEL_TRACES_SAMPLER must be always_on, always_off, traceidratio, or one of these after parentbased_")
	}
	arg := os.Getenv("OTEL_TRACES_SAMPLER_ARG")
	if arg == "" {
		return 1, nil
	}
	ratio, err := strconv.ParseFloat(arg, 64)
	if err != nil || math.IsNaN(ratio) || ratio < 0 || ratio > 1 {
		return 0, errors.New("OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1, such as 0.01")
	}
	return ratio, nil
}

// variable is an environment variable.
type variable struct{ name, value string }

// firstOf returns the first variable that is set, or the last.
func firstOf(names ...string) (v variable) {
	for _, name := range names {
		if v = (variable{name, os.Getenv(name)}); v.value != "" {
			break
		}
	}
	return v
}

// rootKey is the key of the ids of a trace that is to begin.
type rootKey struct{}

// ids makes random ids, but for traces that begin with a message.
type ids struct{}

// NewIDs implements sdktrace.IDGenerator.
func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if root, ok := ctx.Value(rootKey{}).(trace.SpanContext); ok {
		return root.TraceID(), root.SpanID()
	}
	var id trace.TraceID
	_, _ = rand.Read(id[:]) // it never fails
	return id, newSpanID()
}

// NewSpanID implements sdktrace.IDGenerator.
func (ids) NewSpanID(context.Context, trace.TraceID) trace.SpanID { return newSpanID() }

func newSpanID() (id trace.SpanID) {
	_, _ = rand.Read(id[:]) // it never fails
	return id
}
