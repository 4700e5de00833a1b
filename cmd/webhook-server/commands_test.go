package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestMigrateCommand(t *testing.T) {
	file := "--store=sqlite:" + filepath.Join(t.TempDir(), "messages.db")
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{file, "--dry-run"}, "The schema has version 0 and would be migrated to "},
		{[]string{file}, "The schema was migrated from version 0 to "},
		{[]string{file}, "The schema is up to date"},
	} {
		var out strings.Builder
		if err := migrate(t.Context(), step.args, &out); err != nil || !strings.Contains(out.String(), step.want) {
			t.Errorf("migrate %s: %v, %s", step.args, err, out.String())
		}
	}
	for _, tc := range []struct {
		args []string
		want string
	}{
		{nil, "--store is required"},
		{[]string{"--store=postgres:/nowhere/dsn"}, "the file with the DSN"},
		{[]string{"--store=postgres://user:s3cret@db/messages"}, "put it into a file"},
		{[]string{file, "now"}, `unexpected argument "now"`},
	} {
		var out strings.Builder
		if err := migrate(t.Context(), tc.args, &out); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("migrate %s: %v, want %q", tc.args, err, tc.want)
		}
	}
}

func TestEraseCommandRefuses(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string
	}{
		{nil, "--phone-number-id is required"},
		{[]string{"--phone-number-id=201"}, "--phone or --user-id is required"},
		{[]string{"--phone-number-id=201", "--phone=49151", "--channels-dir=/nowhere"}, "read channels directory"},
	} {
		var out strings.Builder
		if err := erase(t.Context(), tc.args, &out); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("erase %s: %v, want %q", tc.args, err, tc.want)
		}
	}
}
