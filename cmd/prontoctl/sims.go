package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/control"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// sim is what prontod tells of one.
type sim struct {
	Operator, Network, Technology, Band string
	DBm                                 int
	VoLTE                               int // 1 yes, 2 no
	Roaming                             bool
	History                             []struct{ DBm int }
	Credit                              struct {
		Known   bool
		Amount  tel.Money
		Expires time.Time
		Asked   time.Time
		Words   string
	}
}

// sims shows the SIMs.
func sims(args []string, out, errs io.Writer) error {
	flags, dir := controlFlags("sims", errs)
	if err := flags.Parse(args); err != nil {
		return err
	}
	body, status, err := control.Ask(context.Background(), *dir, http.MethodGet, "/sims")
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return errors.New(strings.TrimSpace(string(body)))
	}
	var all map[string]sim
	if err := json.Unmarshal(body, &all); err != nil {
		return fmt.Errorf("prontod's answer: %w", err)
	}
	if len(all) == 0 {
		fmt.Fprintln(out, "no line has a SIM")
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintln(out, simLine(name, all[name]))
	}
	return nil
}

// simLine is one SIM as a person reads it.
func simLine(name string, s sim) string {
	line := fmt.Sprintf("%-8s %q %s %s %s", name, s.Operator, s.Network, s.Technology, s.Band)
	if s.DBm != 0 {
		line += fmt.Sprintf("  %d dBm", s.DBm)
	}
	if n := len(s.History); n > 0 {
		low, high := s.History[0].DBm, s.History[0].DBm
		for _, h := range s.History {
			low, high = min(low, h.DBm), max(high, h.DBm)
		}
		line += fmt.Sprintf(" (%d to %d in %d samples of 24 hours)", low, high, n)
	}
	line += map[int]string{1: "  VoLTE", 2: "  no VoLTE"}[s.VoLTE]
	if s.Roaming {
		line += "  roaming"
	}
	switch c := s.Credit; {
	case c.Known:
		line += "  credit " + c.Amount.String()
		if !c.Expires.IsZero() {
			line += " until " + c.Expires.Format(time.DateOnly)
		}
	case c.Words != "":
		line += fmt.Sprintf("  the operator says %q", c.Words)
	}
	return line
}
