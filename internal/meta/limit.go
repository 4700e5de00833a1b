package meta

import "time"

// WithLimit returns a Client that shares the connections of c and asks another limit; see Config.Limit.
func (c *Client) WithLimit(limit func(action, object string) (wait time.Duration, ok bool)) *Client {
	other := *c
	other.limit = limit
	return &other
}
