// Command eval judges the search of the assistant: it asks a shop's catalog and knowledge questions whose answers are known, and
// prints how often the right one came first, came among the first three, and how often something was answered that has no answer.
//
// What counts as "no answer" is the rule of the retrieval assistant (catalog.Index.Find), not one of its own. It measures search
// alone: it asks no model, judges no wording and takes no time.
//
// A set is a directory: catalog.csv, .tsv, .json or .xml, the product feed; knowledge/*.md and *.txt; and questions.NAME.tsv, one
// or more sets of questions. The search is developed with questions.dev-*.tsv, of which it prints the results of each kind of question
// too. questions.test.tsv is frozen: nobody who works on the search looks into it, and nothing but its totals is printed.
package main
