package sqlite

import "testing"

func TestCheckFilesystem(t *testing.T) {
	for _, tc := range []struct {
		name  string
		magic uint32
		want  string
	}{
		{"ext4", 0xef53, ""},
		{"xfs", 0x58465342, ""},
		{"overlayfs", 0x794c7630, ""},
		{"NFS", 0x6969, "needs a local disk"},
		{"CIFS, whose number has the highest bit set", 0xff534d42, "needs a local disk"},
		{"FUSE", 0x65735546, "needs a local disk"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := checkFilesystem(tc.magic, "/data")
			if tc.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantText(t, err, tc.want)
		})
	}
}
