package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
)

// labelLeftovers marks the ConfigMaps that hold leftovers; its value is the name's hash of the MetaApp.
const labelLeftovers = v1alpha1.GroupName + "/leftovers"

// annotationLeftoversOf names the MetaApp.
const annotationLeftoversOf = v1alpha1.GroupName + "/meta-app"

const (
	// maxLeftovers is what status.leftovers takes.
	maxLeftovers = 64
	// maxKeptLeftovers is how many a ConfigMap keeps, which takes a MiB: one that is full would hold every later offboarding up.
	maxKeptLeftovers = 512
)

// leftovers remembers what offboardings could not clean up at Meta, one ConfigMap per MetaApp. No event can be made in a
// namespace that is being deleted, and only the MetaApp's controller writes the MetaApp's status: it copies them there.
type leftovers struct {
	live      client.Reader
	writer    client.Writer
	namespace string
}

func leftoversName(metaApp string) string {
	sum := sha256.Sum256([]byte("whatsapp-operator leftovers\x00" + metaApp))
	return "leftovers-" + hex.EncodeToString(sum[:16])
}

// record adds leftovers. The same thing of the same object is remembered once, so that a crash after it repeats nothing.
func (l *leftovers) record(ctx context.Context, metaApp string, more ...v1alpha1.Leftover) error {
	if len(more) == 0 {
		return nil
	}
	have, err := l.read(ctx, metaApp)
	if err != nil {
		return err
	}
	next := have
	if have == nil {
		next = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
			Namespace: l.namespace, Name: leftoversName(metaApp),
			Labels: map[string]string{labelLeftovers: "true"}, Annotations: map[string]string{annotationLeftoversOf: metaApp},
		}}
	}
	if next.Data == nil {
		next.Data = map[string]string{}
	}
	for _, item := range more {
		raw, err := json.Marshal(item)
		if err != nil {
			return fmt.Errorf("encode a leftover: %w", err)
		}
		sum := sha256.Sum256([]byte(item.Object + "\x00" + item.What))
		next.Data[hex.EncodeToString(sum[:16])] = string(raw)
	}
	if err := forgetOldest(next); err != nil {
		return err
	}
	if have == nil {
		err = l.writer.Create(ctx, next)
	} else {
		err = l.writer.Update(ctx, next)
	}
	if err != nil {
		return fmt.Errorf("record what offboarding left: %w", err)
	}
	return nil
}

// of returns the newest leftovers of a MetaApp, oldest first, as many as status takes.
func (l *leftovers) of(ctx context.Context, metaApp string) ([]v1alpha1.Leftover, error) {
	have, err := l.read(ctx, metaApp)
	if err != nil || have == nil {
		return nil, err
	}
	all, err := decodeLeftovers(have)
	if err != nil {
		return nil, err
	}
	var out []v1alpha1.Leftover
	for _, item := range all[max(0, len(all)-maxLeftovers):] {
		out = append(out, item.Leftover)
	}
	return out, nil
}

// keptLeftover is a leftover with its key.
type keptLeftover struct {
	v1alpha1.Leftover
	key string
}

// decodeLeftovers returns what a ConfigMap holds, oldest first.
func decodeLeftovers(have *corev1.ConfigMap) ([]keptLeftover, error) {
	out := make([]keptLeftover, 0, len(have.Data))
	for key, raw := range have.Data {
		item := keptLeftover{key: key}
		if err := json.Unmarshal([]byte(raw), &item.Leftover); err != nil {
			return nil, fmt.Errorf("the leftover %s of the ConfigMap %s can't be read: %w", key, have.Name, err)
		}
		out = append(out, item)
	}
	slices.SortFunc(out, func(a, b keptLeftover) int {
		if c := a.Time.Compare(b.Time.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Object+a.What, b.Object+b.What)
	})
	return out, nil
}

// forgetOldest makes room.
func forgetOldest(cm *corev1.ConfigMap) error {
	if len(cm.Data) <= maxKeptLeftovers {
		return nil
	}
	all, err := decodeLeftovers(cm)
	if err != nil {
		return err
	}
	for _, item := range all[:len(all)-maxKeptLeftovers] {
		delete(cm.Data, item.key)
	}
	return nil
}

func (l *leftovers) read(ctx context.Context, metaApp string) (*corev1.ConfigMap, error) {
	have := &corev1.ConfigMap{}
	err := l.live.Get(ctx, client.ObjectKey{Namespace: l.namespace, Name: leftoversName(metaApp)}, have)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what offboardings left: %w", err)
	}
	return have, nil
}
