// Package record is what every database does alike with what it is to keep,
// beside its SQL. It flattens a delivery into items, sorts out those that no
// database can hold, and puts the rest into the order in which rows are locked.
// It knows how an event changes a thread that is in memory, and the form that
// texts and instants have in a row, and how a caller waits for work that is done
// together with that of others.
//
// Replicas deadlock unless they lock in one order, and a copy of a change is
// recognised by its digest alone. So neither may differ between two writers,
// and a digest must not change while there are rows that have it.
//
// It knows no database: it holds no SQL, no transaction and no state, and
// cannot tell whether an item is a copy or whose message it is. The bounds
// that it checks are those of the schemas, which the stores own.
package record
