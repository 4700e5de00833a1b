// Package onboarding decides what an onboarding does next: Next for the journey of an OnboardingRequest as a whole,
// NextExchange for the code that can be spent only once.
//
// Both are pure functions of facts. The package has no clients, no clock and no storage, performs nothing and words no
// message: controllers gather the facts, perform the step and write down what became of it. So every combination of facts
// can be tried, and is.
package onboarding
