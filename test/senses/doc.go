// Package senses tests whole turns with what customers send besides text: from the customer's phone through Meta's webhook, the
// server, the models and the outbox, back to the phone. Meta is the simulator, the models are an independent server (see
// package aimock), and what a voice note says is heard by a real speech recognizer from real, compressed audio.
//
// It is for whole paths only: what a model can do wrong is tested beside the adapters, what can't be understood beside package
// understanding.
package senses
