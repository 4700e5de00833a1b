package pgserver

import (
	"errors"
	"os"
	"strings"
	"testing"
)

func TestServerStopsAndGoesOn(t *testing.T) {
	s, err := Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dsn, drop, err := s.Schema(t.Context())
	if err != nil || !strings.Contains(dsn, "search_path=test_") {
		t.Errorf("a schema of its own: %v", err)
	}
	if err := errors.Join(s.Halt(), s.Halt()); err != nil {
		t.Errorf("stopping twice: %v", err)
	}
	if err := drop(t.Context()); err == nil {
		t.Error("it still answers")
	}
	if err := errors.Join(s.Resume(t.Context()), drop(t.Context()), s.Stop()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(s.dir); !os.IsNotExist(err) {
		t.Errorf("its files are still there: %v", err)
	}
}

func TestStartNamesTheRemedy(t *testing.T) {
	for _, tc := range []struct {
		reason, bin, setting, want string
	}{
		{"no binaries", t.TempDir(), "", "POSTGRES_BIN has to be the folder of initdb and postgres"},
		{"the server's own words", "", "max_connections=none", "max_connections"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			if tc.bin != "" {
				t.Setenv("POSTGRES_BIN", tc.bin)
			}
			var settings []string
			if tc.setting != "" {
				settings = append(settings, tc.setting)
			}
			s, err := Start(t.Context(), settings...)
			if s != nil {
				t.Error("started")
				if err := s.Stop(); err != nil {
					t.Error(err)
				}
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}
