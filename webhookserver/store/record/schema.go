package record

import "fmt"

// Migration decides whether a schema is migrated from one version to a newer
// one.
type Migration func(current, target int64) (apply bool, err error)

// MayMigrate migrates if it may, and else says how.
func MayMigrate(may bool) Migration {
	return func(current, target int64) (bool, error) {
		if !may && current < target {
			return false, fmt.Errorf("the schema has version %d, this binary needs %d: run \"webhook-server migrate\" with the same --store, "+
				"or start without --migrate=false", current, target)
		}
		return may, nil
	}
}

// Decide is Migration for any two versions: a schema that is up to date needs
// none, and one that is newer than the binary can't be used by it.
func (m Migration) Decide(current, target int64) (apply bool, err error) {
	if current > target {
		return false, fmt.Errorf("the schema has version %d, this binary knows up to %d: run the version of webhook-server that wrote it, or a newer one",
			current, target)
	}
	apply, err = m(current, target)
	return apply && current < target, err
}
