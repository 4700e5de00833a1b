package pgserver

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// clockTicks a second are what Linux counts a process's time in.
const clockTicks = 100

// CPU is what the server's processes, those that have ended included, have used
// so far. It is 0 for a server that somebody else runs, and without /proc.
func (s *Server) CPU() (time.Duration, error) {
	if s.child == nil {
		return 0, nil
	}
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	var ticks int64
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has just ended: its parent counts it now
		}
		// The name, in parentheses, may have spaces. The state and the parent follow; the 12th to 15th field are times.
		_, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		if len(fields) < 15 {
			return 0, errors.New("pgserver: " + path + " is of an unknown form")
		}
		own := strings.HasPrefix(string(text), strconv.Itoa(s.child.Process.Pid)+" ")
		if !own && fields[1] != strconv.Itoa(s.child.Process.Pid) {
			continue
		}
		times := fields[11:13]
		if own {
			times = fields[11:15] // with its children's that have ended
		}
		for _, t := range times {
			n, err := strconv.ParseInt(t, 10, 64)
			if err != nil {
				return 0, errors.New("pgserver: " + path + " is of an unknown form")
			}
			ticks += n
		}
	}
	return time.Duration(ticks) * time.Second / clockTicks, nil
}
