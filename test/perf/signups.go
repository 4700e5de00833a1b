package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/whatsapp-operator/whatsapp-operator/api/v1alpha1"
	"github.com/whatsapp-operator/whatsapp-operator/internal/redact"
	"github.com/whatsapp-operator/whatsapp-operator/internal/signup"
)

// signupNamespace is where the signup page leaves codes, and linkKey where in its Secret a link is.
const (
	signupNamespace = "whatsapp-signup"
	linkKey         = "url"
)

// sendLinks makes requests whose customers sign up by link, approved beforehand, and returns the token of each link by customer.
func (o *operatorBench) sendLinks(ctx context.Context) (map[int]string, error) {
	tokens := map[int]string{}
	for i := firstSignup; i < firstSignup+o.size.signups; i++ {
		err := o.api.Create(ctx, &v1alpha1.OnboardingRequest{
			ObjectMeta: metav1.ObjectMeta{Namespace: benchNamespace, Name: requestName(i)},
			Spec:       v1alpha1.OnboardingRequestSpec{MetaAppRef: v1alpha1.MetaAppReference{Name: "bench"}, WABAID: wabaID(i), Currency: "USD"},
		})
		if err != nil {
			return nil, err
		}
	}
	err := o.poll(ctx, func() (bool, error) {
		list := &v1alpha1.OnboardingRequestList{}
		if err := o.api.List(ctx, list, client.InNamespace(benchNamespace)); err != nil {
			return false, err
		}
		links := 0
		for i := range list.Items {
			if list.Items[i].Status.SignupLinkSecretRef != nil {
				links++
			}
		}
		return links == o.size.signups, nil
	})
	if err != nil {
		return nil, fmt.Errorf("wait for the signup links: %w", err)
	}
	for i := firstSignup; i < firstSignup+o.size.signups; i++ {
		request, link := &v1alpha1.OnboardingRequest{}, &corev1.Secret{}
		if err := o.api.Get(ctx, client.ObjectKey{Namespace: benchNamespace, Name: requestName(i)}, request); err != nil {
			return nil, err
		}
		if err := o.api.Get(ctx, client.ObjectKey{Namespace: benchNamespace, Name: request.Status.SignupLinkSecretRef.Name}, link); err != nil {
			return nil, err
		}
		tokens[i] = signup.TokenOf(string(link.Data[linkKey]))
	}
	return tokens, nil
}

// arrive lets customers sign up one after the other while others are in work: their Secrets with code and ids come as the signup page
// leaves them. It returns when each did.
func (o *operatorBench) arrive(ctx context.Context, links map[int]string, pause time.Duration) (map[string]time.Time, error) {
	arrived := map[string]time.Time{}
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for i := firstSignup; i < firstSignup+o.size.signups; i++ {
		code, err := o.signUp(ctx, i, benchApp)
		if err != nil {
			return nil, err
		}
		handover := signup.Handover{Token: links[i], Code: redact.New(code), Claims: signup.Claims{
			Event: "FINISH", WABAID: wabaID(i), PhoneNumberID: phoneID(i), BusinessID: businessID(i),
		}}
		data, err := handover.Data()
		if err != nil {
			return nil, err
		}
		arrived[requestName(i)] = time.Now()
		err = o.api.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: signupNamespace, Name: handover.Name(), Labels: map[string]string{signup.LabelHandover: signup.LabelHandoverValue},
			},
			Data: data,
		})
		if err != nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-ticker.C:
		}
	}
	return arrived, nil
}
