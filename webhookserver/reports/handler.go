package reports

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"unicode/utf8"

	"github.com/go-logr/logr"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/source"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

const (
	// maxRequestBytes bounds a test message: 4096 characters of up to 12 escaped bytes, and some ids.
	maxRequestBytes = 64 << 10
	// maxText is Meta's limit for a text, in characters.
	// See https://developers.facebook.com/docs/whatsapp/cloud-api/messages/text-messages.
	maxText = 4096
	// retryAfter is when to ask again, in seconds, when the store is away.
	retryAfter = "2"
)

// Store is what the API needs of the store.
type Store interface {
	store.Reports
	store.TestMessages
	store.Eraser
	// Conversations and Resume are store.Store's.
	Conversations(ctx context.Context, line string, after int64, limit int) ([]store.Conversation, error)
	Resume(ctx context.Context, line string, conversationID int64) error
	// ParkedLines is store.Outbox's.
	ParkedLines(ctx context.Context) ([]store.ParkedLine, error)
}

// Options make a handler. All are required.
type Options struct {
	View  *source.View
	Store Store
	// TextPayload encodes a text as the outbox sends it.
	TextPayload func(body string) ([]byte, error)
	Log         logr.Logger
}

type api struct{ Options }

// New returns the handler of all paths of the API.
func New(o Options) http.Handler {
	a := api{o}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+serverapi.PathReports, a.reports)
	mux.HandleFunc("GET "+serverapi.PathParkedLines, a.parked)
	mux.HandleFunc("GET "+serverapi.PathSnapshot, a.snapshot)
	mux.HandleFunc("POST "+serverapi.PathTestMessages, a.testMessage)
	mux.HandleFunc("POST "+serverapi.PathErasures, a.erase)
	mux.HandleFunc("GET "+serverapi.PathConversations, a.waiting)
	mux.HandleFunc("POST "+serverapi.PathResume, a.resume)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Before anything else, so that a stranger doesn't even learn which paths exist.
		if !serverapi.Authorized(r, o.View.Snapshot().BearerToken()) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (a api) reports(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	limit := serverapi.DefaultLimit
	if text := query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		limit = min(n, serverapi.MaxLimit)
	}
	after := serverapi.Cursor(query.Get("after"))
	rows, err := rowsAfter(r.Context(), a.Store, after, limit)
	if err != nil {
		a.unavailable(w, err)
		return
	}
	snapshot := a.View.Snapshot()
	lines := make(map[string]*runtimeconfig.Channel, len(rows))
	for _, c := range snapshot.Channels() {
		lines[c.LineID] = c
	}
	page := serverapi.Reports{Reports: make([]serverapi.Report, 0, len(rows)), Next: after}
	for i := range rows {
		page.Reports = append(page.Reports, perLine(report(&rows[i], lines), snapshot)...)
		page.Next = cursorOf(&rows[i])
	}
	a.answer(w, page)
}

func (a api) parked(w http.ResponseWriter, r *http.Request) {
	rows, err := a.Store.ParkedLines(r.Context())
	if err != nil {
		a.unavailable(w, err)
		return
	}
	parked := serverapi.ParkedLines{Lines: make([]serverapi.ParkedLine, 0, len(rows))}
	for _, row := range rows {
		parked.Lines = append(parked.Lines, serverapi.ParkedLine{LineID: row.Line, Reason: row.Reason, Since: row.Since.UTC()})
	}
	a.answer(w, parked)
}

func (a api) snapshot(w http.ResponseWriter, _ *http.Request) {
	loaded := a.View.Load()
	s := serverapi.Snapshot{Synced: loaded.Synced, Objects: loaded.Revisions, Problems: []serverapi.Problem{}}
	if s.Objects == nil {
		s.Objects = map[string]string{}
	}
	for _, p := range loaded.Problems {
		s.Problems = append(s.Problems, serverapi.Problem{Object: p.Object, Message: p.Err.Error()})
	}
	a.answer(w, s)
}

var (
	keyPattern   = regexp.MustCompile(`^[A-Za-z0-9_.:/-]{1,128}$`)
	phonePattern = regexp.MustCompile(`^\+?[0-9]{5,20}$`)
)

func (a api) testMessage(w http.ResponseWriter, r *http.Request) {
	var m serverapi.TestMessage
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxRequestBytes+1))
	if err != nil || len(raw) > maxRequestBytes || json.Unmarshal(raw, &m) != nil || !valid(m) {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c, ok := a.View.Snapshot().Channel(m.PhoneNumberID)
	if !ok || c.LineID != m.LineID {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	payload, err := a.TextPayload(m.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	state, err := a.Store.EnqueueTestMessage(r.Context(), store.TestMessage{
		Key: m.Key, Line: m.LineID, PhoneNumberID: m.PhoneNumberID, To: m.To, Body: m.Body, Payload: payload,
	})
	if errors.Is(err, store.ErrInvalid) {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if err != nil {
		a.unavailable(w, err)
		return
	}
	a.answer(w, serverapi.TestOutcome{Key: m.Key, State: serverapi.TestState(state)})
}

func valid(m serverapi.TestMessage) bool {
	return keyPattern.MatchString(m.Key) && phonePattern.MatchString(m.To) &&
		m.Body != "" && utf8.ValidString(m.Body) && utf8.RuneCountInString(m.Body) <= maxText
}

func (a api) answer(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		a.Log.Error(err, "An answer of the internal API could not be encoded")
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if _, err := w.Write(body); err != nil {
		a.Log.V(1).Info("An answer of the internal API could not be written")
	}
}

func (a api) unavailable(w http.ResponseWriter, err error) {
	a.Log.Error(err, "The store can't answer the internal API")
	w.Header().Set("Retry-After", retryAfter)
	w.WriteHeader(http.StatusServiceUnavailable)
}

// report turns a row into what the manager reads. What can't be read leaves the detail empty; the ids still tell something.
func report(row *store.Report, lines map[string]*runtimeconfig.Channel) serverapi.Report {
	out := serverapi.Report{
		ID: cursorOf(row), Time: row.Time, Kind: serverapi.Kind(row.Kind), LineID: row.Line, AppID: row.App, Count: 1,
	}
	if c, ok := lines[row.Line]; ok {
		out.Namespace, out.PhoneNumberID = c.Namespace, c.PhoneNumberID
	}
	if row.Kind == store.ReportSecurity {
		var security store.SecurityPayload
		out.Kind = serverapi.KindSecurityEvent
		if json.Unmarshal(row.Payload, &security) == nil {
			out.Time, out.Count = security.Minute, security.Count
			out.Detail.Security = &serverapi.Security{Reason: serverapi.SecurityReason(security.Kind)}
		}
		return out
	}
	out.Detail = detail(out.Kind, row.Payload)
	return out
}

// perLine repeats what concerns a whole account for each of its lines with the same app: whoever acts on reports acts on channels.
func perLine(r serverapi.Report, s *runtimeconfig.Snapshot) []serverapi.Report {
	if r.LineID != "" || r.Detail.Account == nil {
		return []serverapi.Report{r}
	}
	var all []serverapi.Report
	for _, c := range s.ChannelsOfWABA(r.Detail.Account.WABAID) {
		if c.AppID == r.AppID {
			r.Namespace, r.LineID, r.PhoneNumberID = c.Namespace, c.LineID, c.PhoneNumberID
			all = append(all, r)
		}
	}
	if len(all) == 0 {
		return []serverapi.Report{r}
	}
	return all
}

// detail reads a payload into the member of its kind.
func detail(kind serverapi.Kind, payload []byte) serverapi.Detail {
	switch kind {
	case serverapi.KindTraffic:
		return serverapi.Detail{Traffic: read[serverapi.Traffic](payload)}
	case serverapi.KindWebhookVerified:
		return serverapi.Detail{Webhook: read[serverapi.Webhook](payload)}
	case serverapi.KindTokenRejected, serverapi.KindLineParked:
		return serverapi.Detail{Graph: read[serverapi.Graph](payload)}
	case serverapi.KindTestMessage:
		return serverapi.Detail{TestMessage: read[serverapi.TestOutcome](payload)}
	case serverapi.KindAccountEvent:
		return serverapi.Detail{Account: read[serverapi.Account](payload)}
	case serverapi.KindAssistantHealth:
		return serverapi.Detail{Assistant: read[serverapi.Assistant](payload)}
	case serverapi.KindLimitReached:
		return serverapi.Detail{Limit: read[serverapi.Limit](payload)}
	default:
		return serverapi.Detail{}
	}
}

func read[T any](payload []byte) *T {
	out := new(T)
	if json.Unmarshal(payload, out) != nil {
		return nil
	}
	return out
}
