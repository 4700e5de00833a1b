package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/test/localcluster"
)

const (
	restNamespace  = "bench-rest"
	otherNamespace = "bench-others"
	// foreignSecretBytes is the size of a Secret that is none of the manager's business.
	foreignSecretBytes = 10_000
	// numbersPerAccount is how many numbers share an account: Meta allows a few dozen.
	numbersPerAccount = 20
)

// install applies what the product ships.
func install(ctx context.Context, cluster *localcluster.Cluster) error {
	for _, folder := range []string{"config/namespaces", "config/rbac"} {
		if _, err := cluster.Kubectl(ctx, "apply", "--server-side", "-k", folder); err != nil {
			return err
		}
	}
	return cluster.ApplyCRDs(ctx, "config/crd")
}

// restArgs let a manager compare everything with Meta several times within the quiet time, instead of every half hour.
func (o *operatorBench) restArgs() []string {
	return []string{"--direct-namespace-selector=bench=yes", "--check-interval=" + (o.size.quiet / 3).String(), "--reference-interval=" + (o.size.quiet / 3).String()}
}

// measureRest makes many channels, then watches a manager that has nothing to do: after a restart, and beside a lot that isn't its own.
func (o *operatorBench) measureRest(ctx context.Context) error {
	if err := o.makeChannels(ctx); err != nil {
		return err
	}
	if _, err := o.audit.settle(ctx); err != nil {
		return err
	}
	before, err := o.calls(ctx)
	if err != nil {
		return err
	}
	alone, writes, err := o.rest(ctx)
	if err != nil {
		return err
	}
	after, err := o.calls(ctx)
	if err != nil {
		return err
	}
	graphWrites := 0
	for name, n := range after {
		if changesMeta(name) && n != before[name] {
			graphWrites += n - before[name]
			fmt.Printf("  %s: %d calls\n", name, n-before[name])
		}
	}
	o.book.Record("restart, Graph calls that write", float64(graphWrites))
	o.book.Record("at rest, requests that change objects", float64(writes))
	o.book.Record("at rest, resident memory", alone)
	if err := o.createForeignSecrets(ctx); err != nil {
		return err
	}
	beside, _, err := o.rest(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("resident: %.1f MiB with %d channels, %.1f MiB beside %d Secrets of others\n", alone, o.size.channels, beside, o.size.secrets)
	o.book.Record("at rest, more memory beside Secrets of others", beside-alone)
	return nil
}

// makeChannels makes the channels and waits until they are Ready, unless they are there.
func (o *operatorBench) makeChannels(ctx context.Context) error {
	if o.haveChannels {
		return nil
	}
	o.haveChannels = true
	// Many channels look again at once here, as no Meta would have them do.
	if err := o.call(ctx, http.MethodPatch, "/sim/v1/switches", map[string]any{"graphLatency": "0s", "enforceRateLimits": false}, nil); err != nil {
		return err
	}
	if err := o.restart(ctx); err != nil {
		return err
	}
	if err := o.createChannels(ctx); err != nil {
		return err
	}
	return o.awaitChannels(ctx)
}

// changesMeta says whether a call does more than read.
func changesMeta(call string) bool {
	return !strings.HasPrefix(call, "get_") && !strings.HasPrefix(call, "list_") && call != "debug_token"
}

// restart ends the manager in order and starts it again.
func (o *operatorBench) restart(ctx context.Context) error {
	if err := o.manager.Stop(); err != nil {
		return err
	}
	return o.startManager(ctx, o.restArgs()...)
}

// rest restarts the manager, lets it look at all channels, and watches it for the quiet time. It returns the memory at the end and the
// number of changes.
func (o *operatorBench) rest(ctx context.Context) (mib float64, writes int, err error) {
	before, err := o.calls(ctx)
	if err != nil {
		return 0, 0, err
	}
	if err := o.restart(ctx); err != nil {
		return 0, 0, err
	}
	end := time.Now().Add(o.size.quiet)
	if err := o.poll(ctx, func() (bool, error) {
		now, err := o.calls(ctx)
		return now["get_phone"]-before["get_phone"] >= o.size.channels && time.Now().After(end), err
	}); err != nil {
		return 0, 0, fmt.Errorf("wait until all channels were looked at: %w", err)
	}
	counts, err := o.audit.since()
	if err != nil {
		return 0, 0, err
	}
	for name, n := range counts {
		fmt.Printf("  at rest: %s: %d\n", name, n)
		writes += n
	}
	mib, err = residentMiB(o.manager.PID())
	return mib, writes, err
}

// createChannels makes numbers of the partner's own business, and a direct channel for each.
func (o *operatorBench) createChannels(ctx context.Context) error {
	var wabas []map[string]any
	for i := range o.size.channels {
		if i%numbersPerAccount == 0 {
			wabas = append(wabas, map[string]any{"id": restAccount(i), "name": "Own", "ownerBusinessID": "506914307656634", "phoneNumbers": []any{}})
		}
		account := wabas[len(wabas)-1]
		numbers, ok := account["phoneNumbers"].([]any)
		if !ok {
			return errors.New("an account has no list of numbers")
		}
		account["phoneNumbers"] = append(numbers, map[string]any{
			"id": restNumber(i), "displayPhoneNumber": fmt.Sprintf("+1 556-%07d", i), "verifiedName": "Own", "registered": true,
		})
	}
	if err := o.call(ctx, http.MethodPost, "/sim/v1/world", map[string]any{"wabas": wabas}, nil); err != nil {
		return err
	}
	appSecret := &corev1.Secret{}
	if err := o.api.Get(ctx, client.ObjectKey{Namespace: "whatsapp-system", Name: "bench"}, appSecret); err != nil {
		return err
	}
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: restNamespace, Labels: map[string]string{"bench": "yes"}}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: restNamespace, Name: "credentials"}, Data: map[string][]byte{
			v1alpha1.SecretKeyAccessToken: appSecret.Data[v1alpha1.SecretKeySystemToken],
		}},
	} {
		if err := o.api.Create(ctx, object); err != nil {
			return err
		}
	}
	return parallel(ctx, o.size.channels, func(ctx context.Context, i int) error {
		return o.api.Create(ctx, &v1alpha1.WhatsAppChannel{
			ObjectMeta: metav1.ObjectMeta{Namespace: restNamespace, Name: fmt.Sprintf("channel-%05d", i)},
			Spec: v1alpha1.WhatsAppChannelSpec{Source: v1alpha1.ChannelSource{Direct: &v1alpha1.DirectSource{
				PhoneNumberID: restNumber(i), BusinessAccountID: restAccount(i), CredentialsSecretRef: v1alpha1.SecretReference{Name: "credentials"},
				MetaAppRef: &v1alpha1.MetaAppReference{Name: "bench"},
			}}},
		})
	})
}

func restNumber(i int) string  { return fmt.Sprintf("9165403%08d", i) }
func restAccount(i int) string { return fmt.Sprintf("9122901%08d", i/numbersPerAccount) }

// awaitChannels waits until all channels are Ready.
func (o *operatorBench) awaitChannels(ctx context.Context) error {
	return o.awaitEach(ctx, func(channel *v1alpha1.WhatsAppChannel) (bool, string) {
		condition := apimeta.FindStatusCondition(channel.Status.Conditions, v1alpha1.ConditionReady)
		if condition == nil {
			return false, "it has no condition Ready"
		}
		return condition.Status == metav1.ConditionTrue, condition.Reason + ": " + condition.Message
	})
}

// awaitEach waits until each channel has been seen as wanted. It watches: to list thousands again and again would keep the API server from
// what is measured. wanted also says what the channel looks like.
func (o *operatorBench) awaitEach(ctx context.Context, wanted func(*v1alpha1.WhatsAppChannel) (bool, string)) error {
	list := &v1alpha1.WhatsAppChannelList{}
	if err := o.api.List(ctx, list, client.InNamespace(restNamespace)); err != nil {
		return err
	}
	missing := map[string]string{}
	look := func(channel *v1alpha1.WhatsAppChannel) {
		if ok, state := wanted(channel); ok {
			delete(missing, channel.Name)
		} else if _, waits := missing[channel.Name]; waits {
			missing[channel.Name] = state
		}
	}
	for i := range list.Items {
		missing[list.Items[i].Name] = ""
		look(&list.Items[i])
	}
	stream, err := o.api.Watch(ctx, list, client.InNamespace(restNamespace), &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.ResourceVersion}})
	if err != nil {
		return err
	}
	defer stream.Stop()
	for len(missing) > 0 {
		select {
		case event, open := <-stream.ResultChan():
			if channel, ok := event.Object.(*v1alpha1.WhatsAppChannel); ok {
				look(channel)
			} else if !open {
				return errors.New("the watch on the channels ended")
			}
		case <-ctx.Done():
			for name, state := range missing {
				return fmt.Errorf("%d channels are not there yet; one of them: %s: %s: %w", len(missing), name, state, ctx.Err())
			}
		}
	}
	return nil
}

// createForeignSecrets fills a namespace that the manager has nothing to do with.
func (o *operatorBench) createForeignSecrets(ctx context.Context) error {
	if err := o.api.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: otherNamespace}}); err != nil {
		return err
	}
	noise := make([]byte, foreignSecretBytes)
	if _, err := rand.Read(noise); err != nil {
		return err
	}
	return parallel(ctx, o.size.secrets, func(ctx context.Context, i int) error {
		return o.api.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: otherNamespace, Name: fmt.Sprintf("other-%05d", i)}, Data: map[string][]byte{"noise": noise},
		})
	})
}
