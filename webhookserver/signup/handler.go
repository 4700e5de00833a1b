package signup

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"mime"
	"net/http"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
	contract "github.com/whatsapp-operator/whatsapp-operator/internal/signup"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/source"
)

// Path is what the handler serves: everything below it.
const Path = contract.Path

// Handover takes codes to the manager.
type Handover interface {
	Put(ctx context.Context, h contract.Handover) error
}

// Options make a Handler.
type Options struct {
	View     *source.View
	Handover Handover
	// SDK is Meta's unless a simulator plays Meta.
	SDK     SDK
	Metrics prometheus.Registerer
	Log     logr.Logger
	Now     func() time.Time
}

// Handler serves the signup page. It is safe for concurrent use.
type Handler struct {
	o         Options
	mux       http.Handler
	all       *rate.Limiter
	handovers *prometheus.CounterVec

	mu    sync.Mutex
	links map[string]*rate.Limiter // by link id
}

//go:embed page/page.html page/page.js page/page.css
var files embed.FS

var page = template.Must(template.ParseFS(files, "page/page.html"))

// New makes a Handler.
func New(o Options) (*Handler, error) {
	h := &Handler{
		o: o, all: rate.NewLimiter(requestsPerSecond, requestBurst), links: map[string]*rate.Limiter{},
		handovers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "whatsapp_signup_handovers_total", Help: "Signup codes that browsers posted, by what became of them.",
		}, []string{"result"}),
	}
	if err := o.Metrics.Register(h.handovers); err != nil {
		return nil, fmt.Errorf("register metrics of the signup page: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path+"page.js", asset("page.js", "text/javascript; charset=utf-8"))
	mux.HandleFunc("GET "+Path+"page.css", asset("page.css", "text/css; charset=utf-8"))
	mux.HandleFunc("GET "+Path+"{token}", h.showPage)
	mux.HandleFunc("POST "+Path+"{token}", h.takeCode)
	mux.HandleFunc("GET "+Path+"{token}/outcome", h.showOutcome)
	// A post of another site's page is refused by the browser's own account of where it comes from.
	h.mux = http.NewCrossOriginProtection().Handler(mux)
	return h, nil
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", h.o.SDK.policy())
	header.Set("X-Content-Type-Options", "nosniff")
	// The address is a secret: Meta learns of the host alone, which it checks against the app's allowed domains.
	header.Set("Referrer-Policy", "strict-origin")
	header.Set("X-Robots-Tag", "noindex, nofollow")
	header.Set("Cache-Control", "no-store")
	if !h.all.Allow() {
		header.Set("Retry-After", "2")
		http.Error(w, "Too many requests; try again in a moment.", http.StatusTooManyRequests)
		return
	}
	h.mux.ServeHTTP(w, r)
}

func asset(name, contentType string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		data, err := files.ReadFile("page/" + name)
		if err != nil {
			http.Error(w, "The file is missing from the program.", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(data) // the client may be gone
	}
}

// visit is one request with a link that this installation made.
type visit struct {
	token  string
	link   contract.Link
	app    *runtimeconfig.App
	signup *runtimeconfig.Signup
}

// admit finds out what a token stands for. The second result says what to show instead when it stands for nothing that can be used.
func (h *Handler) admit(token string) (*visit, notice) {
	loaded := h.o.View.Load()
	if !loaded.Synced {
		return nil, noticeNotReady
	}
	claimed, err := contract.Peek(token)
	if err != nil {
		return nil, noticeUnknown
	}
	app, ok := loaded.Snapshot.App(claimed.AppID)
	if !ok || len(app.LinkPublicKey) == 0 || app.EmbeddedSignup == nil {
		return nil, noticeUnknown
	}
	link, err := contract.Verify(token, app.LinkPublicKey)
	if err != nil {
		return nil, noticeUnknown
	}
	signup, ok := loaded.Snapshot.Signup(link.RequestUID)
	if !ok || signup.AppID != link.AppID {
		return nil, noticeGone
	}
	if signup.LinkID != link.ID {
		return nil, noticeReplaced
	}
	v := &visit{token: token, link: link, app: app, signup: signup}
	if !h.o.Now().Before(link.ExpiresAt) && signup.State.Usable() {
		return nil, noticeExpired
	}
	return v, notice{}
}

// pageData is what the page's template shows.
type pageData struct {
	Notice notice
	// Launch is the JSON that the script works with; empty if the link can't be used.
	Launch string
	SDK    string
}

// launch is what the script needs. Nothing of it is secret.
type launch struct {
	AppID           string          `json:"appID"`
	Version         string          `json:"version"`
	ConfigurationID string          `json:"configurationID"`
	Extras          json.RawMessage `json:"extras"`
	// Origin is that of a simulator; empty for Meta, whose hosts the script knows.
	Origin string `json:"origin,omitempty"`
}

func (h *Handler) showPage(w http.ResponseWriter, r *http.Request) {
	v, problem := h.admit(r.PathValue("token"))
	if v == nil {
		h.render(w, problem.status, pageData{Notice: problem})
		return
	}
	data := pageData{Notice: noticeOf(v.signup, v.signup.Attempt)}
	if v.signup.State.Usable() {
		es := v.app.EmbeddedSignup
		text, err := json.Marshal(launch{v.app.AppID, v.app.Graph.Version, es.ConfigurationID, es.Extras, h.o.SDK.origin})
		if err != nil {
			h.o.Log.Error(err, "The signup page could not be made", "app", v.app.Name)
			h.render(w, http.StatusInternalServerError, pageData{Notice: noticeNotReady})
			return
		}
		data.Launch, data.SDK = string(text), h.o.SDK.URL()
	}
	h.render(w, http.StatusOK, data)
}

func (h *Handler) render(w http.ResponseWriter, status int, data pageData) {
	var out bytes.Buffer
	if err := page.Execute(&out, data); err != nil {
		h.o.Log.Error(err, "The signup page could not be rendered")
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // the client may be gone
}

// posted is what the script posts.
type posted struct {
	Code          redact.Secret `json:"code"`
	Event         string        `json:"event"`
	WABAID        string        `json:"wabaID"`
	PhoneNumberID string        `json:"phoneNumberID"`
	BusinessID    string        `json:"businessID"`
}

// taken is the answer to a code that was handed over.
type taken struct {
	// Attempt identifies the code; the outcome is asked for with it.
	Attempt string `json:"attempt"`
}

func (h *Handler) takeCode(w http.ResponseWriter, r *http.Request) {
	v, problem := h.admit(r.PathValue("token"))
	if v == nil {
		h.refuse(w, "dead_link", problem)
		return
	}
	if !v.signup.State.Usable() {
		h.refuse(w, "dead_link", noticeOf(v.signup, v.signup.Attempt).as(http.StatusConflict))
		return
	}
	if !h.limiter(v.link.ID).Allow() {
		w.Header().Set("Retry-After", "10")
		h.refuse(w, "limited", noticeTooMany)
		return
	}
	body, err := readBody(w, r)
	if err != nil {
		h.refuse(w, "malformed", noticeMalformed(err))
		return
	}
	handover := contract.Handover{Token: v.token, Code: body.Code, Claims: contract.Claims{
		Event: body.Event, WABAID: body.WABAID, PhoneNumberID: body.PhoneNumberID, BusinessID: body.BusinessID,
	}}
	if _, err := handover.Data(); err != nil {
		h.refuse(w, "malformed", noticeMalformed(err))
		return
	}
	// The customer may close the window: the code is on its way all the same.
	if err := h.o.Handover.Put(context.WithoutCancel(r.Context()), handover); err != nil {
		h.o.Log.Error(err, "A signup code could not be handed over", "app", v.app.Name)
		h.refuse(w, "failed", noticeNotTaken)
		return
	}
	h.handovers.WithLabelValues("taken").Inc()
	answer(w, http.StatusAccepted, taken{contract.CodeHash(body.Code)})
}

// readBody reads the JSON that the script posts. Other types than JSON are those which a form of any site could send.
func readBody(w http.ResponseWriter, r *http.Request) (posted, error) {
	var body posted
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return body, errors.New("the body must be application/json")
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil {
		return body, errors.New("the body must be a JSON object with code, event, wabaID, phoneNumberID and businessID, of 8 KiB at most")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return body, errors.New("the body must be one JSON object")
	}
	return body, nil
}

// limiter bounds the codes of one link.
func (h *Handler) limiter(linkID string) *rate.Limiter {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.links[linkID]
	if l == nil {
		if len(h.links) >= maxLimiters {
			clear(h.links)
		}
		l = rate.NewLimiter(rate.Every(time.Minute/handoversPerMinute), handoverBurst)
		h.links[linkID] = l
	}
	return l
}

func (h *Handler) refuse(w http.ResponseWriter, result string, n notice) {
	h.handovers.WithLabelValues(result).Inc()
	answer(w, n.status, n)
}

func (h *Handler) showOutcome(w http.ResponseWriter, r *http.Request) {
	v, problem := h.admit(r.PathValue("token"))
	if v == nil {
		answer(w, problem.status, problem)
		return
	}
	// Whoever reloads the page has lost the name of the attempt.
	answer(w, http.StatusOK, noticeOf(v.signup, cmp.Or(r.URL.Query().Get("attempt"), v.signup.Attempt)))
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}
