// Package aimock starts an independent server that speaks the APIs of model providers (OpenAI's, Azure's and Anthropic's)
// for tests: npm's @copilotkit/aimock, in the version of hack/tools/aimock/package-lock.json.
//
// The server was written by others, from the providers' documentation, so what passes against it is more than our own
// reading of that documentation. It answers with fixtures and keeps a journal of what it was asked. It understands nothing:
// it tests that our clients speak correctly, not how well a model answers.
//
// The package installs nothing but that server, and needs node and npm (see hack/prerequisites.sh). It does not check what
// was sent: tests read the journal.
package aimock
