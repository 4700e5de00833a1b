package record

// maxKnown bounds a Directory, at some 200 bytes for each customer.
const maxKnown = 50_000

// Directory remembers which conversation customers have who wrote lately, so
// that few are looked up by their ids at Meta. What it says may be out of date,
// and counts only if the conversation's row confirms it: see Confirmed. It is
// not for concurrent use.
type Directory struct {
	// ids by line, then by BSUID.
	ids   map[string]map[string]int64
	count int
}

// Find returns the id of the conversation that the customer had, 0 if it is not
// known.
func (d *Directory) Find(line, bsuid string) int64 {
	if bsuid == "" {
		return 0
	}
	return d.ids[line][bsuid]
}

// Keep remembers the thread of a customer who has just written under these ids,
// if its row will confirm them.
func (d *Directory) Keep(line, bsuid, phone string, h *Thread) {
	known := d.ids[line]
	switch {
	case !h.Confirmed(line, bsuid, phone), known[bsuid] == h.ID:
		return
	case d.ids == nil, d.count >= maxKnown:
		// Whoever writes again is soon known again.
		d.ids, d.count, known = map[string]map[string]int64{}, 0, nil
	}
	if known == nil {
		known = map[string]int64{}
		d.ids[line] = known
	}
	if known[bsuid] == 0 {
		d.count++
	}
	known[bsuid] = h.ID
}

// Drop forgets what has turned out to be out of date.
func (d *Directory) Drop(line, bsuid string) {
	if d.ids[line][bsuid] != 0 {
		delete(d.ids[line], bsuid)
		d.count--
	}
}

// Confirmed tells whether these ids lead to the thread, and to no other one: a
// BSUID of a row is its customer's alone, and so is a phone. Without a phone the
// BSUID decides.
func (h *Thread) Confirmed(line, bsuid, phone string) bool {
	return h.Line == line && bsuid != "" && h.BSUID == bsuid && (phone == "" || h.Phone == phone)
}
