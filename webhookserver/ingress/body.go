package ingress

import (
	"errors"
	"io"

	"golang.org/x/sync/semaphore"
)

var (
	errTooLarge   = errors.New("ingress: body is too large")
	errOverloaded = errors.New("ingress: too many bytes in flight")
)

// budget counts the bytes of all bodies at work. Memory is taken from it as it is allocated, so a slow client holds no more than it
// has sent.
type budget struct{ free *semaphore.Weighted }

func newBudget(bytes int64) budget { return budget{free: semaphore.NewWeighted(bytes)} }

// read reads a body of at most MaxBody bytes. The caller must call done when it is through with the body, also after an error.
func (b budget) read(r io.Reader, declared int64) (body []byte, done func(), err error) {
	var held int64
	done = func() { b.free.Release(held) }
	if declared > MaxBody {
		return nil, done, errTooLarge
	}
	size := int64(firstRead)
	if declared >= 0 {
		size = min(declared, largestFirstRead) + 1 // one more, so that the end is seen without growing
	}
	if !b.free.TryAcquire(size) {
		return nil, done, errOverloaded
	}
	held = size
	body = make([]byte, 0, size)
	for {
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if int64(len(body)) > MaxBody {
			return nil, done, errTooLarge
		}
		if errors.Is(err, io.EOF) {
			return body, done, nil
		}
		if err != nil {
			return nil, done, err
		}
		if len(body) < cap(body) {
			continue
		}
		grown := min(2*int64(cap(body)), int64(MaxBody+1))
		if !b.free.TryAcquire(grown) {
			return nil, done, errOverloaded
		}
		body = append(make([]byte, 0, grown), body...)
		b.free.Release(held)
		held = grown
	}
}
