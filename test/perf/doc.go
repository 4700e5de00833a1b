// Command perf measures, and reports ratios: each figure stands beside a baseline that was measured in the same run, in turns with
// it, because the same machine differs from hour to hour by more than most changes do.
//
// Two things are measured. "ingest" is how many signed webhooks per second become durable, against a bare handler that checks the
// signature and commits in groups to the same kind of database and does nothing else: the physical limit. "onboarding" is how long a
// hundred OnboardingRequests take from creation to Ready while each Graph call takes 50 ms, and how many Graph calls
// they make, call by call, against the plan.
//
// A third thing is measured alone, with -only=operator: what a fleet of requests and channels costs, in time, calls, writes and memory. Its
// figures stand beside what operator.yaml expects of them, and it fails if one is worse.
//
// Beyond that it asserts nothing: tests do that. All load is loopback's, bounded in count and time.
package main
