// Command pause holds the namespaces of a Pod in the end-to-end test: it does nothing until it is told to end. It reaps nothing, as
// the Pods there don't share their process namespace.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	<-stop
}
