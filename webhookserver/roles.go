package webhookserver

import (
	"errors"
	"fmt"
	"strings"
)

// Roles says which work a process does.
type Roles struct {
	// Ingress receives webhooks.
	Ingress bool
	// Worker answers customers and sends.
	Worker bool
}

// ParseRoles reads a list such as "ingress,worker".
func ParseRoles(list string) (Roles, error) {
	var r Roles
	for role := range strings.SplitSeq(list, ",") {
		switch strings.TrimSpace(role) {
		case "ingress":
			r.Ingress = true
		case "worker":
			r.Worker = true
		case "":
			return Roles{}, errors.New(`a role is empty; the roles are "ingress" and "worker", separated by commas`)
		default:
			return Roles{}, fmt.Errorf(`unknown role %q; the roles are "ingress" and "worker", separated by commas`, role)
		}
	}
	return r, nil
}
