package main

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/pronto-pbx/pronto/board/sim"
)

// onBoard is the board among the lines that a fault can befall, and the directory of its files below that of the state.
const onBoard = "board"

// boardFault lets a fault befall the board in dir, or heals it. The board is files, so that no lab need run.
func boardFault(verb, dir string, rest []string) error {
	switch {
	case len(rest) != 1:
		return errors.New("name one fault of the board; linelab faults lists them")
	case verb == "heal":
		return sim.Heal(dir, rest[0])
	default:
		return sim.Strike(dir, rest[0])
	}
}

func listBoardFaults(out io.Writer, dir string) {
	now := sim.Lasting(dir)
	for _, f := range sim.Faults() {
		mark := "-"
		if slices.Contains(now, f.Name) {
			mark = "*"
		}
		fmt.Fprintf(out, "%s board %s %s\n", mark, f.Name, f.Says)
	}
}
