//go:build !linux

package sqlite

import (
	"fmt"
	"os"
)

// refuseNetworkFilesystem only checks that dir exists: this system does not
// tell in a portable way what kind of file system it is on. Production runs on
// Linux.
func refuseNetworkFilesystem(dir string) error {
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("sqlite store: the directory of the database cannot be examined: create it and make it accessible: %w", err)
	}
	return nil
}
