// Package feeds fetches the product feeds and pages that channels name by URL, and checks the catalogs of all channels.
//
// One replica fetches a document for all: the right to is a lease in the store, and so is the last good copy, which goes on serving
// whatever becomes of the URL. A document is asked for with the ETag or date of its copy; one that is too large, takes too long, leads to
// another origin or into a private network, or is no feed at all changes nothing. The manager is told the class of what went wrong, and
// which rows of a catalog were left out, for the channel's status.
//
// It searches nothing and keeps no index, and says nothing of a document's URL or content to anybody: a URL may hold a secret.
package feeds
