package controllers

import "unicode/utf8"

// Bounds of status fields that show text of Meta's, in characters. A longer text is cut: a status that the API server refuses would never
// be written again.
const (
	maxNameShown    = 512
	maxAppNameShown = 256
	maxWordShown    = 64
)

// timeShown is how times are written in messages.
const timeShown = "2006-01-02 15:04 MST"

// maxEventNote is what the events API takes, in bytes; it refuses a longer note.
const maxEventNote = 1024

// clip cuts a text to so many characters.
func clip(s string, limit int) string {
	if runes := []rune(s); len(runes) > limit {
		return string(runes[:limit])
	}
	return s
}

// clipNote cuts the text of an event to what the API server takes, between characters.
func clipNote(s string) string {
	limit := maxEventNote
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
