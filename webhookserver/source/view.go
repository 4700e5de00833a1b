package source

import (
	"maps"
	"slices"
	"sync/atomic"

	"github.com/whatsapp-operator/whatsapp-operator/internal/runtimeconfig"
)

// Loaded is what the server serves at one moment. It is immutable.
type Loaded struct {
	// Snapshot is never nil; it is empty before the first load.
	Snapshot *runtimeconfig.Snapshot
	// Synced is true once every Object that existed at the start was seen. It stays true.
	Synced bool
	// Revisions of the Objects in Snapshot, by name.
	Revisions map[string]string
	// Problems are Objects that can't be read, sorted by name. One whose earlier form is still in Snapshot is listed, too.
	Problems []runtimeconfig.Problem

	replaced chan struct{}
}

// Replaced returns a channel that is closed when another Loaded takes this one's place.
func (l *Loaded) Replaced() <-chan struct{} { return l.replaced }

// View holds the present Loaded. The zero value is not usable; see NewView.
type View struct {
	current atomic.Pointer[Loaded]
	// good are the Objects in the present Snapshot, by name. Only Publish uses it.
	good map[string]runtimeconfig.Object
}

// NewView returns a View that has loaded nothing and is not synced.
func NewView() *View {
	v := &View{}
	v.current.Store(&Loaded{Snapshot: runtimeconfig.Load(nil), replaced: make(chan struct{})})
	return v
}

// Load returns the present Loaded.
func (v *View) Load() *Loaded { return v.current.Load() }

// Snapshot returns the present Snapshot.
func (v *View) Snapshot() *runtimeconfig.Snapshot { return v.current.Load().Snapshot }

// Publish replaces the present Loaded by one of all these Objects and marks the View as synced. It must not be called concurrently:
// each View has one source. It returns whether anything differs.
func (v *View) Publish(objects []runtimeconfig.Object) bool {
	snapshot := runtimeconfig.Load(objects)
	problems := snapshot.Problems()
	if len(problems) > 0 {
		objects = v.keepReadable(objects, problems)
		snapshot = runtimeconfig.Load(objects)
	}
	next := &Loaded{
		Snapshot: snapshot, Synced: true, Revisions: make(map[string]string, len(objects)), Problems: problems,
		replaced: make(chan struct{}),
	}
	good := make(map[string]runtimeconfig.Object, len(objects))
	for _, object := range objects {
		next.Revisions[object.Name] = runtimeconfig.Revision(object.Data)
		good[object.Name] = object
	}
	before := v.current.Load()
	if before.Synced && maps.Equal(before.Revisions, next.Revisions) && sameProblems(before.Problems, problems) {
		return false
	}
	v.good = good
	v.current.Store(next)
	close(before.replaced)
	return true
}

// keepReadable returns the Objects with those that can't be read replaced by what was loaded under their name, or left out.
func (v *View) keepReadable(objects []runtimeconfig.Object, problems []runtimeconfig.Problem) []runtimeconfig.Object {
	bad := make(map[string]bool, len(problems))
	for _, p := range problems {
		bad[p.Object] = true
	}
	readable := make([]runtimeconfig.Object, 0, len(objects))
	for _, object := range objects {
		if bad[object.Name] {
			kept, ok := v.good[object.Name]
			if !ok {
				continue
			}
			object = kept
		}
		readable = append(readable, object)
	}
	return readable
}

func sameProblems(a, b []runtimeconfig.Problem) bool {
	return slices.EqualFunc(a, b, func(x, y runtimeconfig.Problem) bool {
		return x.Object == y.Object && x.Err.Error() == y.Err.Error()
	})
}
