package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Ids that the samples name and the simulator's demo world knows.
const (
	partnerApp    = "670843887433847"
	customerWABA  = "102290129340398"
	customerPhone = "106540352242922"
	directApp     = "670843887433900"
	directPhone   = "106540352242999"
	ana           = "16505551234"
)

const (
	// onboardTimeout bounds the wait for an object to become Ready; it takes seconds.
	onboardTimeout = 90 * time.Second
	// replyTimeout bounds the wait for a reply: customers that write several lines are given some seconds to finish.
	replyTimeout = 45 * time.Second
)

// story is what happens in the world, told from outside.
type story struct {
	w   *world
	out *narrator
	// shown is the last state that was printed, by kind, name and condition.
	shown map[string]string
}

func newStory(w *world, out *narrator) *story {
	return &story{w: w, out: out, shown: map[string]string{}}
}

func (s *story) play(ctx context.Context) error {
	chapters := []struct {
		title string
		play  func(context.Context) error
	}{
		{"The platform team describes its Meta app", s.platform},
		{"A customer signs up", s.signup},
		{"The number answers", s.answer},
		{"A forged message changes nothing", s.forgery},
		{"A duplicate is answered once", s.duplicate},
		{"Another business connects the number of its own app", s.direct},
		{"A third business signs up by a link", s.link},
		{"No secret can be read", s.discretion},
	}
	for _, chapter := range chapters {
		s.out.title(chapter.title)
		if err := chapter.play(ctx); err != nil {
			return fmt.Errorf("%q: %w", chapter.title, err)
		}
	}
	return nil
}

// platform creates the Secrets that are not in Git and applies all samples, as Argo CD would.
func (s *story) platform(ctx context.Context) error {
	meta, err := s.w.sim.world(ctx)
	if err != nil {
		return err
	}
	if err := s.applySamples(ctx); err != nil {
		return err
	}
	s.out.seen("kubectl apply -k %s", samplesDir)
	if err := s.createSecret(ctx, systemNamespace, "acme-connect", map[string]string{
		"app-secret": meta.appSecret(partnerApp), "system-token": meta.systemToken(partnerApp),
	}); err != nil {
		return err
	}
	if err := s.createSecret(ctx, "blue-door", "blue-door", map[string]string{
		"app-secret": meta.appSecret(directApp), "access-token": meta.systemToken(directApp),
	}); err != nil {
		return err
	}
	return s.watch(ctx, "", "metaapp", "acme-connect", "Ready")
}

// signup plays the customer who finishes Embedded Signup, and the page that stores the code at once.
func (s *story) signup(ctx context.Context) error {
	code, err := s.w.sim.signUp(ctx, partnerApp, customerWABA)
	if err != nil {
		return err
	}
	s.out.seen("Meta issued a signup code: it lives 30 seconds and works once")
	if err := s.createSecret(ctx, "lucky-shrub", "lucky-shrub-signup", map[string]string{"code": code}); err != nil {
		return err
	}
	if err := s.watch(ctx, "lucky-shrub", "onboardingrequest", "lucky-shrub", "Ready"); err != nil {
		return err
	}
	return s.watch(ctx, "lucky-shrub", "whatsappchannel", "lucky-shrub", "Ready")
}

func (s *story) answer(ctx context.Context) error {
	if _, err := s.converse(ctx, customerPhone, "Hi! Do you have a fern for my bathroom?", "Boston Fern", 1); err != nil {
		return err
	}
	_, err := s.converse(ctx, customerPhone, "When are you open?", "Monday to Saturday", 2)
	return err
}

// forgery sends what only an attacker sends. That nothing came of it shows after a genuine message was answered: had the forged one
// been taken, it would have been answered before.
func (s *story) forgery(ctx context.Context) error {
	const text = "Please send me everything for free"
	forged, err := s.w.sim.forge(ctx, ana, customerPhone, text)
	if err != nil {
		return err
	}
	s.out.seen("the server answered the forged delivery with %d and no detail", forged.LastStatus)
	if forged.LastStatus != 200 {
		return fmt.Errorf("a forged delivery must be answered with 200, like a genuine one, and was with %d", forged.LastStatus)
	}
	messages, err := s.converse(ctx, customerPhone, "How much is the delivery?", "for 5 USD", 3)
	if err != nil {
		return err
	}
	for _, m := range messages {
		if strings.Contains(m.Text, text) {
			return fmt.Errorf("the forged message appears in the conversation")
		}
	}
	s.out.seen("three genuine questions, three answers, none to the forgery")
	return nil
}

// duplicate delivers the same webhook three more times, then asks something new: were copies answered, there would be more answers
// than questions.
func (s *story) duplicate(ctx context.Context) error {
	const question = "Do you have cactus plants?"
	delivery, err := s.w.sim.write(ctx, ana, customerPhone, question)
	if err != nil {
		return err
	}
	s.out.quote("Ana", question)
	for range 3 {
		copied, err := s.w.sim.replay(ctx, delivery)
		if err != nil {
			return err
		}
		if copied.LastStatus != 200 {
			return fmt.Errorf("a duplicate must be answered with 200, was with %d", copied.LastStatus)
		}
	}
	s.out.seen("Meta delivered it four times, and got 200 each time")
	if err := s.awaitTurns(ctx, customerPhone, "Golden Barrel Cactus", 4); err != nil {
		return err
	}
	if _, err := s.converse(ctx, customerPhone, "And what about returns?", "within 30 days", 5); err != nil {
		return err
	}
	s.out.seen("five questions, five answers")
	return nil
}

// direct plays the business that connects its own app by hand, with the values that the channel shows.
func (s *story) direct(ctx context.Context) error {
	var channel object
	if err := await(ctx, onboardTimeout, func(ctx context.Context) (missing string, err error) {
		channel, err = s.get(ctx, "blue-door", "whatsappchannel", "blue-door")
		if channel.Status.CallbackURL == "" || channel.Status.VerifyTokenSecretRef.Name == "" {
			missing = "callback URL and verify token in the status"
		}
		return missing, err
	}); err != nil {
		return err
	}
	token, err := s.secretValue(ctx, "blue-door", channel.Status.VerifyTokenSecretRef.Name, channel.Status.VerifyTokenSecretRef.Key)
	if err != nil {
		return err
	}
	if err := s.w.sim.configureWebhook(ctx, directApp, channel.Status.CallbackURL, token); err != nil {
		return err
	}
	s.out.seen("a person entered %s and the verify token in the App Dashboard, and Meta verified them", channel.Status.CallbackURL)
	if _, err := s.w.cluster.Kubectl(ctx, "-n", "blue-door", "annotate", "whatsappchannel", "blue-door", "--overwrite",
		fmt.Sprintf("whatsapp-operator.dev/requested-at=%d", time.Now().Unix())); err != nil {
		return err
	}
	s.out.seen("kubectl annotate whatsappchannel blue-door whatsapp-operator.dev/requested-at=... (test the connection now)")
	for _, condition := range []string{"Ready", "WebhookVerified"} {
		if err := s.watch(ctx, "blue-door", "whatsappchannel", "blue-door", condition); err != nil {
			return err
		}
	}
	_, err = s.converse(ctx, directPhone, "Hello, are you there?", "Hello!", 1)
	return err
}

// converse sends a customer's text, waits until so many of the customer's texts are answered, and shows the answer, which must say something.
func (s *story) converse(ctx context.Context, phone, text, says string, turns int) ([]simMessage, error) {
	if _, err := s.w.sim.write(ctx, ana, phone, text); err != nil {
		return nil, err
	}
	s.out.quote("Ana", text)
	if err := s.awaitTurns(ctx, phone, says, turns); err != nil {
		return nil, err
	}
	return s.w.sim.conversation(ctx, phone, ana)
}

// awaitTurns waits until the conversation has so many questions and each is answered, delivered and read, and shows the last answer.
// More answers than questions are an error at once, and so is one that does not say what it must.
func (s *story) awaitTurns(ctx context.Context, phone, says string, turns int) error {
	var last conversationView
	err := await(ctx, replyTimeout, func(ctx context.Context) (string, error) {
		messages, err := s.w.sim.conversation(ctx, phone, ana)
		if err != nil {
			return "", err
		}
		last = viewOf(messages)
		if last.questions > turns || last.answered > turns {
			return "", fmt.Errorf("%d questions have %d answers; at most %d were asked", last.questions, last.answered, turns)
		}
		return last.missing(turns), nil
	})
	if err != nil {
		return err
	}
	for _, m := range last.lastAnswer {
		s.out.quote("the shop", fmt.Sprintf("[%s, %s] %s", m.Type, m.Status, m.Text))
	}
	if !slices.ContainsFunc(last.lastAnswer, func(m simMessage) bool { return strings.Contains(m.Text, says) }) {
		return fmt.Errorf("the answer must say %q", says)
	}
	if last.typing {
		s.out.seen("Ana saw the message read, and that somebody was typing")
	}
	return nil
}

// conversationView is what a conversation says about answers: a question is a customer's message, an answer is what follows it.
type conversationView struct {
	questions, answered int
	lastAnswer          []simMessage
	typing, delivered   bool
}

func viewOf(messages []simMessage) conversationView {
	v := conversationView{delivered: true}
	for _, m := range messages {
		if m.Direction == "in" {
			v.questions++
			v.lastAnswer, v.typing = nil, m.Read && m.TypingShown
			continue
		}
		if len(v.lastAnswer) == 0 {
			v.answered++
		}
		v.lastAnswer = append(v.lastAnswer, m)
		if m.Status != "delivered" && m.Status != "read" {
			v.delivered = false
		}
	}
	return v
}

func (v conversationView) missing(turns int) string {
	switch {
	case v.questions < turns || v.answered < turns:
		return fmt.Sprintf("an answer (%d questions, %d answers)", v.questions, v.answered)
	case !v.delivered:
		return "delivery of the last answer"
	default:
		return ""
	}
}

// applySamples applies config/samples with the simulator in Meta's place, which is all that differs from a real cluster.
func (s *story) applySamples(ctx context.Context) error {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	overlay := filepath.Join(s.w.dir, "overlay")
	if err := os.Mkdir(overlay, 0o750); err != nil {
		return err
	}
	samples, err := filepath.Rel(overlay, filepath.Join(root, samplesDir))
	if err != nil {
		return err
	}
	kustomization := fmt.Sprintf(`apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [%q]
patches:
  - target: {kind: MetaApp}
    patch: |-
      - {op: add, path: /spec/graph, value: {baseURL: %q}}
`, samples, s.w.simURL)
	if err := os.WriteFile(filepath.Join(overlay, "kustomization.yaml"), []byte(kustomization), 0o600); err != nil {
		return err
	}
	_, err = s.w.cluster.Kubectl(ctx, "apply", "--server-side", "-k", overlay)
	return err
}

// createSecret pipes the values to kubectl: on its command line every process of the machine could read them.
func (s *story) createSecret(ctx context.Context, namespace, name string, values map[string]string) error {
	for key, value := range values {
		if value == "" {
			return fmt.Errorf("the simulator has no value for key %s of Secret %s/%s", key, namespace, name)
		}
	}
	manifest, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Secret",
		"metadata": map[string]any{"namespace": namespace, "name": name}, "stringData": values,
	})
	if err != nil {
		return err
	}
	if _, err := s.w.cluster.KubectlWithInput(ctx, strings.NewReader(string(manifest)), "create", "-f", "-"); err != nil {
		return err
	}
	s.out.seen("Secret %s/%s was created", namespace, name)
	return nil
}

func (s *story) secretValue(ctx context.Context, namespace, name, key string) (string, error) {
	encoded, err := s.w.cluster.Kubectl(ctx, "-n", namespace, "get", "secret", name, "-o", "go-template={{index .data "+fmt.Sprintf("%q", key)+"}}")
	if err != nil {
		return "", err
	}
	value, err := base64.StdEncoding.DecodeString(encoded)
	return string(value), err
}
