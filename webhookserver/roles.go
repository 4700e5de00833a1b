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
	// Signup serves the page behind signup links. It hands codes over through the Kubernetes API.
	Signup bool
}

// roleNames lists the roles in error messages.
const roleNames = `the roles are "ingress", "worker" and "signup", separated by commas`

// ParseRoles reads a list such as "ingress,worker".
func ParseRoles(list string) (Roles, error) {
	var r Roles
	for role := range strings.SplitSeq(list, ",") {
		switch strings.TrimSpace(role) {
		case "ingress":
			r.Ingress = true
		case "worker":
			r.Worker = true
		case "signup":
			r.Signup = true
		case "":
			return Roles{}, errors.New("a role is empty; " + roleNames)
		default:
			return Roles{}, fmt.Errorf("unknown role %q; %s", role, roleNames)
		}
	}
	return r, nil
}
