// Command ingest measures how signed webhooks become durable, against bare handlers that check the signature and commit in groups to the
// same kind of database and do nothing else: the physical limit of the machine. Each figure is measured in turns with its baseline, in
// several rounds, and the medians stand beside what figures.yaml expects; it fails if one is worse.
//
// The load generator runs on the same processors as what it measures, so absolute figures tell about this machine only. Beyond the
// figures it asserts nothing: tests do that. All load is loopback's, bounded in count and time.
package main
