package postgres

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// useColumns has a connection write the arrays that bring the values of a
// column by plans of ours. Those of pgx take an element at a time and write it
// into memory that grows: for a large group that takes as long as all the rest
// which a process does to send it.
func useColumns(conn *pgx.Conn) error {
	texts := column[string]{
		array: pgtype.TextArrayOID, element: pgtype.TextOID,
		size: func(s string) int { return len(s) },
		put:  func(buf []byte, s string) []byte { return append(buf, s...) },
	}
	integers := column[int64]{
		array: pgtype.Int8ArrayOID, element: pgtype.Int8OID,
		size: func(int64) int { return 8 },
		put:  func(buf []byte, n int64) []byte { return binary.BigEndian.AppendUint64(buf, uint64(n)) }, //nolint:gosec // the same bits
	}
	byteStrings := column[[]byte]{
		array: pgtype.ByteaArrayOID, element: pgtype.ByteaOID,
		size: sizeOf,
		put:  func(buf, b []byte) []byte { return append(buf, b...) },
	}
	types := conn.TypeMap()
	return errors.Join(texts.register(types), integers.register(types), byteStrings.register(types))
}

func sizeOf(b []byte) int {
	if b == nil {
		return null
	}
	return len(b)
}

// null is the size of an element that is null.
const null = -1

// column is the plan of an array with elements of one type.
type column[T any] struct {
	array, element uint32
	// size is that of an element in bytes, put appends it.
	size func(T) int
	put  func([]byte, T) []byte
}

// Encode implements pgtype.EncodePlan, in PostgreSQL's binary format: how many
// dimensions there are, whether elements are null, their type, how many they
// are, the number of the first, and each with its size.
func (c column[T]) Encode(value any, buf []byte) ([]byte, error) {
	values, ok := value.([]T)
	if !ok {
		return nil, fmt.Errorf("postgres store: %T is no column", value)
	}
	bytes, nulls := 5*4, 0
	for _, v := range values {
		n := c.size(v)
		if n == null {
			nulls = 1
		}
		bytes += 4 + max(n, 0)
	}
	buf = slices.Grow(buf, bytes)
	for _, n := range []int{1, nulls, int(c.element), len(values), 1} {
		buf = appendInt32(buf, n)
	}
	for _, v := range values {
		n := c.size(v)
		if buf = appendInt32(buf, n); n > 0 {
			buf = c.put(buf, v)
		}
	}
	return buf, nil
}

func appendInt32(buf []byte, n int) []byte {
	return binary.BigEndian.AppendUint32(buf, uint32(n)) //nolint:gosec // PostgreSQL takes no more than 1 GiB
}

// register makes the plan that of slices of the elements' type.
func (c column[T]) register(types *pgtype.Map) error {
	known, ok := types.TypeForOID(c.array)
	if !ok {
		return fmt.Errorf("postgres store: no type has the number %d", c.array)
	}
	codec, ok := known.Codec.(*pgtype.ArrayCodec)
	if !ok {
		return fmt.Errorf("postgres store: %s is no array", known.Name)
	}
	types.RegisterType(&pgtype.Type{Name: known.Name, OID: known.OID, Codec: columnCodec[T]{codec, c}})
	return nil
}

// columnCodec leaves all else of arrays to pgx.
type columnCodec[T any] struct {
	*pgtype.ArrayCodec

	plan column[T]
}

// PlanEncode implements pgtype.Codec.
func (c columnCodec[T]) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.([]T); ok && format == pgtype.BinaryFormatCode {
		return c.plan
	}
	return c.ArrayCodec.PlanEncode(m, oid, format, value)
}
