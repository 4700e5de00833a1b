package store

import (
	"errors"
	"fmt"
	"testing"
)

// An answer that is missing would reach its caller as a database that is away, and be tried again for ever.
func TestIsAnswer(t *testing.T) {
	for _, answer := range []error{
		ErrBusy, ErrUnavailable, ErrQuarantineFull, ErrNothingDue, ErrLeaseLost, ErrSuperseded, ErrNotFound, ErrInvalid,
		&LimitError{Limit: LimitDay},
	} {
		if !IsAnswer(fmt.Errorf("claiming: %w", answer)) {
			t.Errorf("%v is an answer, but not taken for one", answer)
		}
	}
	for _, other := range []error{nil, errors.New("the connection broke")} {
		if IsAnswer(other) {
			t.Errorf("%v is taken for an answer", other)
		}
	}
}
