package assistant

// Words are what the server itself says to customers, in one language. Titles of buttons have at most 20 characters.
type Words struct {
	// OrderTitle, OrderTotal and OrderAsk frame the summary of an order.
	OrderTitle, OrderTotal, OrderAsk string
	// Confirm, Change and Cancel are its buttons.
	Confirm, Change, Cancel string
	// OrderPlaced, OrderCancelled and OrderChange answer them; OrderGone answers one that comes too late.
	OrderPlaced, OrderCancelled, OrderChange, OrderGone string
	// OrderProblem tells that a cart holds what can't be ordered.
	OrderProblem string
	// ActionAsk asks for a confirmation, Yes and No are its buttons.
	ActionAsk, Yes, No string
	// ActionDone, ActionFailed and ActionDropped answer them; ActionGone answers one that comes too late.
	ActionDone, ActionFailed, ActionDropped, ActionGone string
	// HandedOff tells that a person takes over.
	HandedOff string
}
