//go:build recovery

package main

import (
	"io"

	"github.com/pronto-pbx/pronto/cmd/otad/again"
)

// installer is the updater's part in the recovery system. It is never called by the first program, only by a process in
// the updater's cell.
func installer() func(args []string, steps, out io.Writer) int { return again.Main }
