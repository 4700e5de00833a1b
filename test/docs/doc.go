// Package docs checks that what the documentation says can be done: its manifests are accepted by a real API server, its links
// lead somewhere, and its make targets exist and are run by continuous integration or named here with the test that runs them.
//
// It does not judge prose.
package docs
