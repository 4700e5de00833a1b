package sqlite

import (
	"fmt"
	"syscall"
)

// networkFilesystems are the statfs(2) magic numbers of file systems on which
// neither locks nor fsync can be relied on. FUSE is among them because one
// cannot see what lies behind it.
var networkFilesystems = map[uint32]string{
	0x6969:     "NFS",
	0xff534d42: "CIFS",
	0xfe534d42: "SMB2",
	0x517b:     "SMB",
	0x65735546: "FUSE",
	0x00c36400: "CephFS",
	0x01021997: "9P",
	0x0bd00bd0: "Lustre",
	0x5346414f: "AFS",
	0x47504653: "GPFS",
	0x7461636f: "OCFS2",
	0x01161970: "GFS2",
}

// refuseNetworkFilesystem fails if dir is on a network file system.
func refuseNetworkFilesystem(dir string) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return fmt.Errorf("sqlite store: the directory of the database cannot be examined: create it and make it accessible: %w", err)
	}
	return checkFilesystem(uint32(st.Type), dir) //nolint:gosec // magic numbers have 32 bits; wider words sign-extend them
}

func checkFilesystem(magic uint32, dir string) error {
	if name, ok := networkFilesystems[magic]; ok {
		return fmt.Errorf("sqlite store: %s is on %s: SQLite needs a local disk; use a local volume, or PostgreSQL", dir, name)
	}
	return nil
}
