// Command metasim serves the Graph API simulator of internal/metasim: what the demo and the end-to-end tests use in
// place of graph.facebook.com. It is a development tool and is not part of the shipped images.
package main
