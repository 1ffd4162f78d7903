// Package oomkill is what a box remembers of programs that the kernel ended because they wanted more memory than they may
// have: by which, how often and when. Where systemd supervises them, their units note it when one has ended; in the image
// the first program tells it.
package oomkill

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/statefile"
)

// File is where the notes lie, below the directory of what survives a crash.
const File = "oomkill.json"

const version = 1

// The programs that are known.
const (
	Exchange = "prontod"
	Records  = "recordd"
	Updates  = "otad"
)

// Kill is how often a program was ended.
type Kill struct {
	Program string    `json:"program"`
	Times   int       `json:"times"`
	Last    time.Time `json:"last"`
	// Helper tells that it was not the program itself, but one that it had started.
	Helper bool `json:"helper,omitempty"`
}

// Result is what systemd says of a unit of which a process was ended so (systemd.exec(5), $SERVICE_RESULT).
const Result = "oom-kill"

// Note adds an end of a program to the notes in a directory, where result is Result; otherwise nothing is noted.
func Note(dir, program, result string, now time.Time) error {
	if result != Result {
		return nil
	}
	if !slices.Contains([]string{Exchange, Records, Updates}, program) {
		return fmt.Errorf("no program of a box is called %q", program)
	}
	all, err := Load(dir)
	if err != nil {
		all = nil // it was put aside
	}
	i := slices.IndexFunc(all, func(k Kill) bool { return k.Program == program })
	if i < 0 {
		i, all = len(all), append(all, Kill{Program: program})
	}
	all[i].Times++
	all[i].Last = now.UTC().Truncate(time.Second)
	return statefile.Save(filepath.Join(dir, File), version, all)
}

// Load reads the notes in a directory; there are none where there is no file.
func Load(dir string) (all []Kill, err error) {
	err = statefile.Load(filepath.Join(dir, File), version, &all)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return all, nil
}
