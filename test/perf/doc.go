// Command perf measures, and reports ratios: each figure stands beside a baseline that was measured in the same run, in turns with
// it, because the same machine differs from hour to hour by more than most changes do.
//
// "onboarding" is how long a hundred OnboardingRequests take from creation to Ready while each Graph call takes 50 ms, and how many
// Graph calls they make, call by call, against the plan. With -only=operator it measures what a fleet of requests and channels costs,
// in time, calls, writes and memory. Those figures stand beside what operator.yaml expects of them, and it fails if one is worse. How
// webhooks become durable is measured by the command in the folder ingest.
//
// Beyond that it asserts nothing: tests do that. All load is loopback's, bounded in count and time.
package main
