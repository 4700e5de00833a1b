// Command manager runs the operator's controllers: flags become options, options become a running manager.
//
// It decides nothing about MetaApps, OnboardingRequests or WhatsAppChannels; package controllers does.
package main
