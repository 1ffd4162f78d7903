//go:build !recovery

package main

import "io"

// installer is the updater's part in the recovery system; nil: this file has it not.
func installer() func(args []string, steps, out io.Writer) int { return nil }
