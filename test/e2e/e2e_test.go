//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/metasim"
)

const (
	// volumePath is the folder of the node behind the PersistentVolume of overlay/.
	volumePath = "/var/lib/messages"
	// rolloutTimeout bounds the start of Pods whose images are there.
	rolloutTimeout = "--timeout=120s"
	// readyTimeout bounds what a resource needs to become Ready.
	readyTimeout = "--timeout=90s"
	// exchangeTimeout is the life of a signup code.
	exchangeTimeout = "--timeout=30s"
	// answerTimeout bounds the wait for answers, also across a restart: kubelet and the back-off of Meta's retries take their time.
	answerTimeout = 90 * time.Second
)

// A second business that signs up, while the leader is dead.
const (
	otherBusiness = "2729063490586777"
	otherWABA     = "102290129340777"
	otherPhone    = "106540352242777"
)

// TestInstallation is one story: each step needs what the steps before it made.
func TestInstallation(t *testing.T) {
	w := newWorld(t)
	deploy(t, w)
	w.openIngress(t)
	steps := []struct {
		name   string
		reason string
		run    func(*testing.T, *world)
	}{
		{"restricted", "the start of our Pods proves something only where others are refused", restricted},
		{"onboard", "a code becomes a number through Secrets, Services and RBAC as shipped", onboard},
		{"answer", "a webhook comes in by the Service and an answer goes out", answer},
		{"direct", "the second kind of channel needs the manager's flags and the public path", direct},
		{"kill the leader", "a code lives 30 seconds, and no lease may cost it", killLeader},
		{"crash the webhook-server", "200 means stored, and what got none is delivered again", crashServer},
		{"discretion", "who may read logs, events, objects and metrics may not read Secrets", discreet},
		{"undeploy", "what the manifests bring must go again, in an order that hangs on nothing", undeploy},
	}
	for _, step := range steps {
		if !t.Run(step.name, func(t *testing.T) { step.run(t, w) }) {
			t.Fatalf("%s failed, and what follows builds on it. It matters because %s.", step.name, step.reason)
		}
	}
}

// deploy applies the shipped manifests and waits until the programs are up.
func deploy(t *testing.T, w *world) {
	t.Helper()
	if err := os.MkdirAll(volumePath, 0o755); err != nil {
		t.Fatal(err)
	}
	w.kubectl(t, "apply", "--server-side", "-k", "overlay")
	for _, namespace := range []string{systemNamespace, runtimeNamespace} {
		w.apply(t, map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap",
			"metadata": map[string]any{"namespace": namespace, "name": "graph-authority"},
			"data":     map[string]any{"graph.crt": string(w.authority)},
		})
	}
	awaitRollouts(t, w)
}

func awaitRollouts(t *testing.T, w *world) {
	t.Helper()
	w.kubectl(t, "rollout", "status", "deployment/webhook-server", "-n", runtimeNamespace, rolloutTimeout)
	w.kubectl(t, "rollout", "status", "deployment/whatsapp-operator-manager", "-n", systemNamespace, rolloutTimeout)
}

func restricted(t *testing.T, w *world) {
	t.Helper()
	for _, namespace := range []string{systemNamespace, runtimeNamespace, "whatsapp-signup"} {
		_, err := w.tryKubectl(t, "", "run", "root", "-n", namespace, "--image=localhost/pause:e2e", "--dry-run=server")
		if err == nil || !strings.Contains(err.Error(), `violates PodSecurity "restricted`) {
			t.Errorf("a Pod without a security context must be refused in %s, got %v", namespace, err)
		}
	}
}

func onboard(t *testing.T, w *world) {
	t.Helper()
	w.applySamples(t)
	w.apply(t,
		secret(systemNamespace, "acme-connect", map[string]string{
			"app-secret": w.sim.AppSecret(metasim.DemoAppID), "system-token": w.sim.SystemToken(metasim.DemoSystemUser),
		}),
		secret("blue-door", "blue-door", map[string]string{
			"app-secret": w.sim.AppSecret(metasim.DemoDirectAppID), "access-token": w.sim.SystemToken(metasim.DemoDirectSystemUser),
		}),
	)
	w.kubectl(t, "wait", "--for=condition=Ready", "metaapp/acme-connect", readyTimeout)
	w.apply(t, secret("lucky-shrub", "lucky-shrub-signup", map[string]string{"code": w.signUp(t, metasim.DemoWABA)}))
	w.kubectl(t, "wait", "--for=condition=Ready", "onboardingrequest/lucky-shrub", "-n", "lucky-shrub", readyTimeout)
	w.kubectl(t, "wait", "--for=condition=Ready", "whatsappchannel/lucky-shrub", "-n", "lucky-shrub", readyTimeout)
}

// signUp plays a business that finishes Embedded Signup.
func (w *world) signUp(t *testing.T, waba string) (code string) {
	t.Helper()
	issued, err := w.sim.IssueCode(metasim.CodeRequest{AppID: metasim.DemoAppID, WABAIDs: []string{waba}})
	if err != nil {
		t.Fatal(err)
	}
	return issued.Code
}

func answer(t *testing.T, w *world) {
	t.Helper()
	w.send(t, metasim.DemoCustomer, metasim.DemoPhoneNumber, "Do you have a fern for my bathroom?")
	w.awaitAnswer(t, metasim.DemoPhoneNumber, metasim.DemoCustomer, 1)
	if got := transcript(w.sim.Conversation(metasim.DemoPhoneNumber, metasim.DemoCustomer)); !strings.Contains(got, "Boston Fern") {
		t.Errorf("the answer must come from the catalog of the sample, which has the Boston Fern:%s", got)
	}
}

func direct(t *testing.T, w *world) {
	t.Helper()
	// It can't be Ready before the person has done what it asks for.
	w.kubectl(t, "wait", "--for=condition=PhoneConnected", "whatsappchannel/blue-door", "-n", "blue-door", readyTimeout)
	shown := strings.Fields(w.kubectl(t, "get", "whatsappchannel", "blue-door", "-n", "blue-door", "-o",
		"jsonpath={.status.callbackURL} {.status.verifyTokenSecretRef.name} {.status.verifyTokenSecretRef.key}"))
	if len(shown) != 3 {
		t.Fatalf("the channel must show callback URL and verify token, it shows %q", shown)
	}
	token := w.secretValue(t, "blue-door", shown[1], shown[2])
	err := w.sim.ConfigureWebhook(t.Context(), metasim.DemoDirectAppID,
		metasim.AppSubscription{CallbackURL: shown[0], VerifyToken: token, Fields: []string{"messages"}})
	if err != nil {
		t.Fatalf("Meta must be able to verify what the channel shows: %v", err)
	}
	w.kubectl(t, "wait", "--for=condition=Ready", "whatsappchannel/blue-door", "-n", "blue-door", readyTimeout)
	w.send(t, metasim.DemoCustomer, metasim.DemoDirectPhone, "Hello, are you there?")
	w.awaitAnswer(t, metasim.DemoDirectPhone, metasim.DemoCustomer, 1)
}

// killLeader kills the leading manager; its lease is still held when the code arrives.
func killLeader(t *testing.T, w *world) {
	t.Helper()
	err := w.sim.Add(metasim.World{
		Businesses: []metasim.Business{{ID: otherBusiness, Name: "Green Leaf"}},
		WABAs: []metasim.WABA{{
			ID: otherWABA, Name: "Green Leaf", OwnerBusinessID: otherBusiness, Currency: "USD", TimezoneID: "1",
			PhoneNumbers: []metasim.PhoneNumber{{ID: otherPhone, DisplayPhoneNumber: "+1 555-078-3777", VerifiedName: "Green Leaf"}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	holder := w.kubectl(t, "get", "lease", "whatsapp-operator-manager", "-n", systemNamespace, "-o", "jsonpath={.spec.holderIdentity}")
	pod, _, _ := strings.Cut(holder, "_")
	w.kill(t, systemNamespace, pod)
	w.apply(t,
		secret("lucky-shrub", "green-leaf-signup", map[string]string{"code": w.signUp(t, otherWABA)}),
		map[string]any{
			"apiVersion": "whatsapp-operator.dev/v1alpha1", "kind": "OnboardingRequest",
			"metadata": map[string]any{"namespace": "lucky-shrub", "name": "green-leaf"},
			"spec": map[string]any{
				"metaAppRef": map[string]any{"name": "acme-connect"}, "currency": "USD",
				"codeSecretRef": map[string]any{"name": "green-leaf-signup"}, "deletionPolicy": "Offboard",
			},
		})
	w.kubectl(t, "wait", "--for=condition=TokenExchanged", "onboardingrequest/green-leaf", "-n", "lucky-shrub", exchangeTimeout)
	w.kubectl(t, "wait", "--for=condition=Ready", "onboardingrequest/green-leaf", "-n", "lucky-shrub", readyTimeout)
	for code, sends := range w.sim.Counters().CodeSends {
		if sends != 1 {
			t.Errorf("nothing was lost on the way, so each code is spent once; %s was sent %d times", code, sends)
		}
	}
	await(t, answerTimeout, func() string {
		if w.kubectl(t, "get", "pod", pod, "-n", systemNamespace, "-o", "jsonpath={.status.containerStatuses[0].restartCount}") == "0" {
			return "a restart of the manager that was killed"
		}
		return ""
	})
	awaitRollouts(t, w)
}

// kill ends the process of a Pod's container as a crash or the kernel does: nothing of it gets to say goodbye.
func (w *world) kill(t *testing.T, namespace, pod string) {
	t.Helper()
	id := w.kubectl(t, "get", "pod", pod, "-n", namespace, "-o", "jsonpath={.status.containerStatuses[0].containerID}")
	run(t, nil, "ctr", "--namespace=k8s.io", "tasks", "kill", "--signal=SIGKILL", strings.TrimPrefix(id, "containerd://"))
}

// crashServer kills the server when it has acknowledged a message and not answered it, and then takes it away while others write.
func crashServer(t *testing.T, w *world) {
	t.Helper()
	const crashed, missed1, missed2 = "16505550101", "16505550102", "16505550103"
	pod := w.kubectl(t, "get", "pod", "-n", runtimeNamespace, "-l", "app.kubernetes.io/name=webhook-server", "-o", "jsonpath={.items[0].metadata.name}")
	w.showLogs(t, runtimeNamespace, pod) // they go with it
	delivery, err := w.sim.AwaitDelivery(t.Context(), w.send(t, crashed, metasim.DemoPhoneNumber, "When are you open?"))
	if err != nil || delivery.LastStatus != http.StatusOK {
		t.Fatalf("want 200 for a genuine message, got %d, %v", delivery.LastStatus, err)
	}
	w.kill(t, runtimeNamespace, pod)
	w.kubectl(t, "scale", "deployment/webhook-server", "-n", runtimeNamespace, "--replicas=0")
	w.kubectl(t, "wait", "--for=delete", "pod/"+pod, "-n", runtimeNamespace, readyTimeout)
	missed := []int{
		w.send(t, missed1, metasim.DemoPhoneNumber, "How much is the delivery?"),
		w.send(t, missed2, metasim.DemoPhoneNumber, "Do you have cactus plants?"),
	}
	for _, id := range missed {
		await(t, answerTimeout, func() string {
			if d := w.sim.Deliveries(id - 1)[0]; d.Attempts == 0 || d.LastStatus == http.StatusOK {
				return fmt.Sprintf("a failed attempt of delivery %d: %d attempts, last status %d", id, d.Attempts, d.LastStatus)
			}
			return ""
		})
	}
	w.kubectl(t, "scale", "deployment/webhook-server", "-n", runtimeNamespace, "--replicas=1")
	for _, customer := range []string{crashed, missed1, missed2} {
		w.awaitAnswer(t, metasim.DemoPhoneNumber, customer, 1)
	}
	w.send(t, metasim.DemoCustomer, metasim.DemoPhoneNumber, "And what about returns?")
	w.awaitAnswer(t, metasim.DemoPhoneNumber, metasim.DemoCustomer, 2)
	for _, customer := range []string{crashed, missed1, missed2} {
		w.awaitAnswer(t, metasim.DemoPhoneNumber, customer, 1)
	}
}

func undeploy(t *testing.T, w *world) {
	t.Helper()
	run(t, []string{"TIMEOUT=2m"}, "../../hack/undeploy.sh")
	left := w.sim.World(false)
	for _, waba := range left.WABAs {
		// The other request's policy is to retain.
		if waba.ID == otherWABA && (len(waba.SubscribedApps) > 0 || waba.PrimaryFundingID != "" || waba.PhoneNumbers[0].Registered) {
			t.Errorf("a request with deletionPolicy Offboard left at Meta: %+v", waba)
		}
	}
	for _, app := range left.Apps {
		if app.ID == metasim.DemoAppID && app.Subscription != nil {
			t.Errorf("Meta still calls %s for the app of the deleted MetaApp", app.Subscription.CallbackURL)
		}
	}
	kinds := "crd,namespace,clusterrole,clusterrolebinding"
	for name := range strings.SplitSeq(w.kubectl(t, "get", kinds, "-o", "name"), "\n") {
		if strings.Contains(name, "whatsapp") {
			t.Errorf("undeploy left %s", name)
		}
	}
	mine := "blue-door/blue-door lucky-shrub/lucky-shrub-signup lucky-shrub/green-leaf-signup"
	for name := range strings.SplitSeq(w.kubectl(t, "get", "secret", "-A", "-o",
		`jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name}{"\n"}{end}`), "\n") {
		if !strings.Contains(mine, name) {
			t.Errorf("undeploy left the Secret %s", name)
		}
	}
}

// send plays a customer who writes a text. It returns the number of the webhook delivery that follows.
func (w *world) send(t *testing.T, from, phone, text string) (delivery int) {
	t.Helper()
	sent, err := w.sim.SendText(from, phone, text)
	if err != nil {
		t.Fatal(err)
	}
	if len(sent.Deliveries) != 1 {
		t.Fatalf("want one delivery of a message, got %d: is one app subscribed?", len(sent.Deliveries))
	}
	return sent.Deliveries[0]
}

// awaitAnswer waits until so many of a customer's messages are answered and the answers are delivered. An answer is one message or
// several; the built-in assistant says nothing twice, so a text that comes again is an answer too many.
func (w *world) awaitAnswer(t *testing.T, phone, customer string, want int) {
	t.Helper()
	await(t, answerTimeout, func() string {
		conversation := w.sim.Conversation(phone, customer)
		answered, said, asked := 0, map[string]bool{}, false
		for _, entry := range conversation {
			if entry.Direction == "in" {
				asked = true
				continue
			}
			if said[entry.Text] {
				t.Fatalf("answered twice:%s", transcript(conversation))
			}
			said[entry.Text] = true
			if asked {
				answered++
			}
			asked = false
			if entry.Status != "delivered" && entry.Status != "read" {
				return "delivery of" + transcript(conversation)
			}
		}
		if answered < want {
			return fmt.Sprintf("%d answers, there are %d:%s", want, answered, transcript(conversation))
		}
		return ""
	})
}

func transcript(entries []metasim.ConversationEntry) string {
	var text strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&text, "\n%s %s %s %s: %q", e.Time.Format(time.TimeOnly), e.Direction, e.Type, e.Status, e.Text)
	}
	return text.String()
}
