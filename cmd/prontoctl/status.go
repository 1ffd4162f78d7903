package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/control"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// statusText is the board as a terminal shows it; every line says in words what its sign says.
func statusText(n control.Present, at time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  waiting %d  calls %d  today: %d calls ended, %d answered, %d lost, %d sent on, average wait %s\n",
		at.Format(time.TimeOnly), len(n.Waits), len(n.Calls), n.Today.Calls, n.Today.Answered, n.Today.Lost, n.Today.SentOn, n.Today.AverageWait.Round(time.Second))
	for _, w := range n.Waits {
		fmt.Fprintf(&b, "  queue %-8s %-14s waits %s%s\n", w.Queue, w.Caller, at.Sub(w.At).Round(time.Second), about(n, w))
	}
	for _, c := range n.Callbacks {
		fmt.Fprintf(&b, "  queue %-8s %-14s is to be called back, %s since %s\n", c.Queue, c.Number, c.State, at.Sub(c.Asked).Round(time.Second))
	}
	for _, id := range slices.Sorted(maps.Keys(n.Agents)) {
		a, lampText := n.Agents[id], "no lamp"
		if l, ok := n.Lamps[id]; ok {
			lampText = "lamp " + l.State.String()
			if l.Fault {
				lampText = "lamp broken"
			}
		}
		since := "-"
		if !a.Since.IsZero() {
			since = at.Sub(a.Since).Round(time.Second).String()
		}
		if s, ok := n.Supervised[id]; ok {
			lampText += fmt.Sprintf(", %s: %s", s.Mode, cmp.Or(n.Agents[s.By].Name, string(s.By)))
		}
		fmt.Fprintf(&b, "  agent %-8s %-12s %-6s %s\n", a.Name, a.State, since, lampText)
	}
	if t := n.RTPTrace; t.On {
		fmt.Fprintf(&b, "  trace keeps the RTP of %s (%s) until %s, permitted by %s\n", t.Name, t.Of, t.Until.Local().Format("2006-01-02 15:04"), t.By)
	}
	for _, line := range slices.Sorted(maps.Keys(n.Lines)) {
		l, state := n.Lines[line], "up"
		if !l.Up {
			state = "DOWN"
		}
		fmt.Fprintf(&b, "  line  %-8s %-4s %s\n", l.Name, state, l.Cause)
	}
	return b.String()
}

// about is what else is known of a waiting caller: what is asked for, and how long the wait will last.
func about(n control.Present, w tel.QueueJoined) (text string) {
	for _, need := range w.Needs {
		text += fmt.Sprintf(", asks for %s %d", need.Skill, need.Level)
	}
	switch e := n.Expected[w.Call]; {
	case e.To == 0 && e.From > 0:
		text += fmt.Sprintf(", probably more than %d min", e.From)
	case e.To > 0:
		text += fmt.Sprintf(", probably %d to %d min", e.From, e.To)
	}
	return text
}

// board shows the office every two seconds until ctx ends.
func board(ctx context.Context, address string, out io.Writer) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(2 * time.Second):
		}
		if n, err := control.Now(ctx, address); err == nil {
			fmt.Fprintln(out, statusText(n, time.Now()))
		}
	}
}

func status(args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("status", flag.ContinueOnError)
	flags.SetOutput(errs)
	dir := flags.String("var", stateDir(), "directory of the state")
	if err := flags.Parse(args); err != nil {
		return err
	}
	n, err := control.Now(context.Background(), *dir)
	if err != nil {
		return err
	}
	fmt.Fprint(out, statusText(n, time.Now()))
	return nil
}
