package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/control"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// now is what holds at one moment, as prontod tells it.
type now struct {
	agents []tel.AgentChanged
	lamps  map[tel.AgentID]tel.LampChanged
	waits  []tel.QueueJoined
	lines  []tel.LineChanged
	calls  []tel.CallChanged
	today  tel.FiguresChanged
}

func fetch(ctx context.Context, dir string) (now, error) {
	n := now{lamps: map[tel.AgentID]tel.LampChanged{}}
	body, status, err := control.Ask(ctx, dir, http.MethodGet, "/now")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("prontod answers %d: %s", status, body)
	}
	if err != nil {
		return n, err
	}
	var all []struct {
		Kind  string          `json:"kind"`
		Event json.RawMessage `json:"event"`
	}
	if err := json.Unmarshal(body, &all); err != nil {
		return n, err
	}
	for _, e := range all {
		n.take(e.Kind, e.Event)
	}
	return n, nil
}

func (n *now) take(kind string, body []byte) {
	switch kind {
	case tel.AgentChanged{}.Kind():
		n.agents = appendEvent(n.agents, body)
	case tel.QueueJoined{}.Kind():
		n.waits = appendEvent(n.waits, body)
	case tel.LineChanged{}.Kind():
		n.lines = appendEvent(n.lines, body)
	case tel.CallChanged{}.Kind():
		n.calls = appendEvent(n.calls, body)
	case tel.LampChanged{}.Kind():
		for _, l := range appendEvent[tel.LampChanged](nil, body) {
			n.lamps[l.Agent] = l
		}
	case tel.FiguresChanged{}.Kind():
		_ = json.Unmarshal(body, &n.today)
	}
}

func appendEvent[E any](all []E, body []byte) []E {
	var e E
	if json.Unmarshal(body, &e) == nil {
		all = append(all, e)
	}
	return all
}

// text is the board as a terminal shows it; every line says in words what its sign says.
func (n *now) text(at time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  waiting %d  calls %d  today: %d calls ended, %d answered, %d lost, average wait %s\n",
		at.Format(time.TimeOnly), len(n.waits), len(n.calls), n.today.Calls, n.today.Answered, n.today.Lost, n.today.AverageWait.Round(time.Second))
	for _, w := range n.waits {
		fmt.Fprintf(&b, "  queue %-8s %-14s waits %s\n", w.Queue, w.Caller, at.Sub(w.At).Round(time.Second))
	}
	for _, a := range n.agents {
		lampText := "no lamp"
		if l, ok := n.lamps[a.Agent]; ok {
			lampText = "lamp " + l.State.String()
			if l.Fault {
				lampText = "lamp broken"
			}
		}
		since := "-"
		if !a.Since.IsZero() {
			since = at.Sub(a.Since).Round(time.Second).String()
		}
		fmt.Fprintf(&b, "  agent %-8s %-12s %-6s %s\n", a.Name, a.State, since, lampText)
	}
	for _, l := range n.lines {
		state := "up"
		if !l.Up {
			state = "DOWN"
		}
		fmt.Fprintf(&b, "  line  %-8s %-4s %s\n", l.Name, state, l.Cause)
	}
	return b.String()
}

// board shows the office every two seconds until ctx ends.
func board(ctx context.Context, address string, out io.Writer) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(2 * time.Second):
		}
		if n, err := fetch(ctx, address); err == nil {
			fmt.Fprintln(out, n.text(time.Now()))
		}
	}
}

func status(args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("status", flag.ContinueOnError)
	flags.SetOutput(errs)
	dir := flags.String("var", "var", "directory of the state")
	if err := flags.Parse(args); err != nil {
		return err
	}
	n, err := fetch(context.Background(), *dir)
	if err != nil {
		return err
	}
	fmt.Fprint(out, n.text(time.Now()))
	return nil
}
