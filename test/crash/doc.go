// Package crash kills the manager's own process, with SIGKILL, at chosen moments of real onboardings, and looks at what is left.
//
// The tests of controllers crash it in memory at every write. Here the kernel does it: whatever the process holds that only an orderly end
// would save is lost. The control plane is real, Meta is the simulator of internal/metasim, and the manager runs under its own
// ServiceAccount. There is no webhook-server: no webhook is part of an onboarding.
package crash
