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

// maxLeftovers is what status.leftovers takes.
const maxLeftovers = 64

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
	var out []v1alpha1.Leftover
	for key, raw := range have.Data {
		var item v1alpha1.Leftover
		if err := json.Unmarshal([]byte(raw), &item); err != nil {
			return nil, fmt.Errorf("the leftover %s of the ConfigMap %s can't be read: %w", key, have.Name, err)
		}
		out = append(out, item)
	}
	slices.SortFunc(out, func(a, b v1alpha1.Leftover) int {
		if c := a.Time.Compare(b.Time.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Object+a.What, b.Object+b.What)
	})
	return out[max(0, len(out)-maxLeftovers):], nil
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
