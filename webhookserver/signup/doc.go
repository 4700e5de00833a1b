// Package signup serves the page behind a signup link: it checks the link, launches Meta's Embedded Signup in the customer's browser,
// hands the code over to the manager as a Secret, and shows what became of it.
//
// Any replica can serve any request: nothing of a signup is kept in memory. It never exchanges a code, reads no object of a tenant, and
// can't read back what it handed over; how a signup stands it learns from what the manager projects.
package signup
