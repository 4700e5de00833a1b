// Package contract holds the objects that tests leave behind against all that is promised of their status: the contract of package
// conditions, the documented reasons, and that Argo CD shows what the conditions say.
//
// It makes no objects and waits for none: whether an object came to the end that a test is about is for that test to see.
package contract
