package meta

import "time"

// WithLimit returns a Client that shares the connections of c and asks another limit; see Config.Limit.
func (c *Client) WithLimit(limit func(action, object string) (wait time.Duration, ok bool)) *Client {
	other := *c
	other.limit = limit
	return &other
}

// Usage is what an answer says of the calls that are left for the account of an object. Meta counts them by the hour, per app and account, see
// developers.facebook.com/docs/graph-api/overview/rate-limiting.
type Usage struct {
	// Object is the id that was addressed, such as a number's. Account is the id under which Meta counts its calls; the object itself if the
	// answer doesn't tell.
	Object, Account string
	// Regain is how long Meta refuses calls of this account; 0 while it takes them.
	Regain time.Duration
}

// reportUsage tells whom the answer counts the call for, and whether their calls are used up.
func (c *Client) reportUsage(cl *call, a *answer, e *Error) {
	if c.usage == nil || a == nil || cl.object == "" {
		return
	}
	refused := e != nil && e.Outcome == Throttled && e.Class == ClassRateLimited
	told := false
	for account, u := range readBusinessUsage(a.header) {
		told = true
		regain := u.wait
		if refused && u.percent >= 100 {
			regain = max(regain, e.RetryAfter)
		}
		c.usage(Usage{Object: cl.object, Account: account, Regain: regain})
	}
	if refused && !told {
		c.usage(Usage{Object: cl.object, Account: cl.object, Regain: e.RetryAfter})
	}
}
