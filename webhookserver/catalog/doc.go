// Package catalog reads what a business sells and what it knows, and searches it.
//
// Products come from a feed with the field names of Meta's product feeds as CSV, TSV, JSON, RSS or Atom; knowledge
// comes as Markdown or text and is cut into passages at its headings. Both are indexed in memory with one field per
// language. A row that is wrong costs only itself: it is left out, counted, and reported with its line.
//
// The package fetches nothing, keeps nothing on disk and writes no answers: it returns products and passages with a
// measure of how much of the question they cover, and its callers decide whether that is enough. Everything it holds is
// a tenant's data and is never treated as instructions.
package catalog
