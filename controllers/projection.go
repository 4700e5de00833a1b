package controllers

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math/big"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/conditions"
	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

const (
	// claimGrace is how long a number stays with the channel that let it go, so that deleting and recreating a channel, as GitOps tools
	// do, can't lose the number to somebody who waits for it.
	claimGrace = 10 * time.Minute
	// tombstoneLife is how long a number that was let go is known to have been served: longer than Meta delivers again.
	tombstoneLife = 9 * 24 * time.Hour
)

// Annotations of projections. The webhook-server doesn't read them.
const (
	// annotationHolder is namespace/name of the channel, or the name of the MetaApp, that a projection belongs to.
	annotationHolder = v1alpha1.GroupName + "/holder"
	// annotationHolderUID is that object's UID.
	annotationHolderUID = v1alpha1.GroupName + "/holder-uid"
	// annotationContent names the content ConfigMap that a channel's projection refers to.
	annotationContent = v1alpha1.GroupName + "/content"
	// annotationReleasedAt is when a tombstone's channel let go of the number.
	annotationReleasedAt = v1alpha1.GroupName + "/released-at"
)

// projector writes what the webhook-server reads. All of it lies in one namespace, and every write is guarded by what was read.
type projector struct {
	client    client.Client
	live      client.Reader
	namespace string
}

// holder is whom a projection belongs to.
type holder struct {
	name string
	uid  types.UID
}

func channelHolder(channel *v1alpha1.WhatsAppChannel) holder {
	return holder{name: channel.Namespace + "/" + channel.Name, uid: channel.UID}
}

// read returns the Secret of an Object, nil if there is none. A read that fails is an error, never "none": a claim isn't lost to it.
func (p *projector) read(ctx context.Context, name string) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := p.live.Get(ctx, client.ObjectKey{Namespace: p.namespace, Name: name}, secret)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // "none" is an answer here, and the caller looks at it first
	}
	if err != nil {
		return nil, fmt.Errorf("read projection: %w", err)
	}
	return secret, nil
}

// put brings the Secret of an Object to the wanted state. have is what read returned. It returns the Secret as it is now.
func (p *projector) put(ctx context.Context, have *corev1.Secret, object runtimeconfig.Object, kind runtimeconfig.Kind, h holder, more map[string]string) (*corev1.Secret, error) {
	want := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: p.namespace, Name: object.Name,
			Labels:      map[string]string{runtimeconfig.LabelProjection: string(kind)},
			Annotations: map[string]string{annotationHolder: h.name, annotationHolderUID: string(h.uid)},
		},
		Type: corev1.SecretTypeOpaque,
		Data: object.Data,
	}
	maps.Copy(want.Annotations, more)
	if have == nil {
		// Create only: if somebody else was faster, this fails and the claim is theirs.
		if err := p.client.Create(ctx, want, client.FieldOwner(conditions.FieldManager)); err != nil {
			return nil, fmt.Errorf("create projection: %w", err)
		}
		return want, nil
	}
	if maps.Equal(have.Labels, want.Labels) && maps.Equal(have.Annotations, want.Annotations) && equalData(have.Data, want.Data) {
		return have, nil
	}
	want.ResourceVersion, want.UID = have.ResourceVersion, have.UID
	if err := p.client.Update(ctx, want, client.FieldOwner(conditions.FieldManager)); err != nil {
		return nil, fmt.Errorf("update projection: %w", err)
	}
	return want, nil
}

// putContent makes sure that a content ConfigMap exists. Its name holds its revision, so one that exists is right.
func (p *projector) putContent(ctx context.Context, object runtimeconfig.Object, h holder) error {
	want := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: p.namespace, Name: object.Name,
			Labels:      map[string]string{runtimeconfig.LabelProjection: string(runtimeconfig.KindContent)},
			Annotations: map[string]string{annotationHolder: h.name},
		},
		BinaryData: object.Data,
	}
	err := p.live.Get(ctx, client.ObjectKeyFromObject(want), &corev1.ConfigMap{})
	if err == nil {
		return nil
	}
	if !apierrors.IsNotFound(err) {
		return fmt.Errorf("read content: %w", err)
	}
	err = p.client.Create(ctx, want, client.FieldOwner(conditions.FieldManager))
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create content: %w", err)
	}
	return nil
}

// claim says whether h may have the number whose projection is have; nil means that it may. Whoever asks must have proven access to
// the number first, so that the answer tells no stranger what is served here, and it names nobody.
func claim(have *corev1.Secret, h holder, now time.Time) error {
	if have == nil || have.Annotations[annotationHolder] == h.name {
		return nil
	}
	if released, ok := releasedAt(have); ok && now.Sub(released) >= claimGrace {
		return nil
	}
	return stalled(v1alpha1.ReasonPhoneNumberClaimed,
		"Another channel serves this phone number, or did until lately; delete that one, wait ten minutes and set the annotation %s here to the present time.",
		v1alpha1.RequestedAtAnnotation)
}

// releasedAt is when a tombstone's channel let go; false for a number that is served.
func releasedAt(secret *corev1.Secret) (time.Time, bool) {
	if secret.Labels[runtimeconfig.LabelProjection] != string(runtimeconfig.KindTombstone) {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339, secret.Annotations[annotationReleasedAt])
	// A tombstone without a readable time was tampered with: the number stays taken until a person has looked.
	return at, err == nil
}

// bury replaces a channel's projection by a tombstone: no token stays behind, and deliveries that are still on their way are recognised.
func (p *projector) bury(ctx context.Context, have *corev1.Secret, now time.Time) error {
	served, ok := decodeChannel(have)
	if !ok {
		return deleteOurs(ctx, p.client, have)
	}
	tombstone := runtimeconfig.Tombstone{
		Namespace: served.Namespace, Name: served.Name, PhoneNumberID: served.PhoneNumberID, WABAID: served.WABAID,
		ReleasedAt: now.UTC().Truncate(time.Second),
	}
	object, err := tombstone.Object()
	if err != nil {
		return err
	}
	h := holder{name: have.Annotations[annotationHolder], uid: types.UID(have.Annotations[annotationHolderUID])}
	_, err = p.put(ctx, have, object, runtimeconfig.KindTombstone, h, map[string]string{
		annotationReleasedAt: tombstone.ReleasedAt.Format(time.RFC3339),
	})
	return err
}

// decodeChannel reads a channel's projection back.
func decodeChannel(secret *corev1.Secret) (*runtimeconfig.Channel, bool) {
	snapshot := runtimeconfig.Load([]runtimeconfig.Object{{Name: secret.Name, Data: secret.Data}})
	for _, channel := range snapshot.Channels() {
		return channel, true
	}
	return nil, false
}

func equalData(a, b map[string][]byte) bool {
	return runtimeconfig.Revision(a) == runtimeconfig.Revision(b)
}

// lineID identifies a number in a namespace: a number that moves to another tenant starts empty, even one whose namespace has the
// same name, and one that is recreated in its namespace keeps its history.
func lineID(namespaceUID types.UID, phoneNumberID string) string {
	sum := sha256.Sum256([]byte(string(namespaceUID) + "/" + phoneNumberID))
	return hex.EncodeToString(sum[:16])
}

// verifyTokenAlphabet needs no escaping anywhere a person may paste the token.
const verifyTokenAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// newVerifyToken makes a webhook verify token: pv_ and 40 random characters.
func newVerifyToken() (string, error) {
	const length = 40
	token := []byte("pv_")
	for range length {
		i, err := rand.Int(rand.Reader, big.NewInt(int64(len(verifyTokenAlphabet))))
		if err != nil {
			return "", fmt.Errorf("make a verify token: %w", err)
		}
		token = append(token, verifyTokenAlphabet[i.Int64()])
	}
	return string(token), nil
}
