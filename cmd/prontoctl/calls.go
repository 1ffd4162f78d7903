package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/pronto-pbx/pronto/firmware/cdr"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// askLimit bounds the wait for recordd.
const askLimit = 5 * time.Second

// calls lists the latest finished calls, the newest first, as recordd keeps them.
func calls(args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("calls", flag.ContinueOnError)
	flags.SetOutput(errs)
	dir := flags.String("var", stateDir(), "directory of the state")
	n := flags.Int("n", 20, "how many calls")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return past(*dir, out, "no calls yet", func(ctx context.Context, client *store.Client) (store.Page[store.Call], error) {
		return client.ListCalls(ctx, store.CallQuery{Span: store.Span{Limit: *n}})
	}, func(c store.Call) string { return callLine(cdr.RowOf(c.CallEnded)) })
}

// past lists what recordd keeps, one line each, or says that there is none.
func past[R any](dir string, out io.Writer, none string, list func(context.Context, *store.Client) (store.Page[R], error), line func(R) string) error {
	client := store.NewClient(filepath.Join(dir, "run", "records.sock"))
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), askLimit)
	defer cancel()
	page, err := list(ctx, client)
	if err != nil {
		return fmt.Errorf("recordd does not answer: %w", err)
	}
	if len(page.Items) == 0 {
		fmt.Fprintln(out, none)
	}
	for _, r := range page.Items {
		fmt.Fprintln(out, line(r))
	}
	return nil
}

// callLine is one call as a person reads it.
func callLine(r cdr.Row) string {
	from, what := string(r.From), "not answered, "+r.Cause.String()
	if from == "" {
		from = "withheld"
	}
	if r.Answered {
		what = fmt.Sprintf("rang %s, talked %s", r.Rang.Round(time.Second), r.Talked.Round(time.Second))
	}
	line := fmt.Sprintf("%s  %-8s %-15s -> %-15s %s", r.Started.Local().Format(time.DateTime), r.Direction, from, r.To, what)
	if r.Queue != "" {
		line += "  queue " + string(r.Queue)
	}
	if r.Agent != "" {
		line += "  agent " + string(r.Agent)
	}
	if r.Machine != "" {
		line += "  a " + string(r.Machine)
	}
	if s := r.Worst.Sound; s.Trouble != tel.SoundFine {
		line += fmt.Sprintf("  bad sound of %s: %s at %s", r.Worst.Party, s.Trouble, s.Place)
		if s.Heard > 0 {
			line += fmt.Sprintf(", heard %.1f of 4.5", s.Heard)
		}
	}
	if r.Recovered {
		line += "  (through a restart)"
	}
	return line
}
