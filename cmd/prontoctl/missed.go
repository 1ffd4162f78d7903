package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/pronto-pbx/pronto/firmware/control"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// missed lists the callers who were not served and whom nobody has called since.
func missed(args []string, out, errs io.Writer) error {
	flags, dir := controlFlags("missed", errs)
	n := flags.Int("past", 0, "list so many rows of the past, the newest first, and how each was closed")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *n != 0 {
		return past(*dir, out, "nobody was missed yet", func(ctx context.Context, client *store.Client) (store.Page[store.Missed], error) {
			return client.ListMissed(ctx, store.MissedQuery{Span: store.Span{Limit: *n}})
		}, pastMissedLine)
	}
	body, _, err := control.Ask(context.Background(), *dir, http.MethodGet, "/missed")
	if err != nil {
		return err
	}
	var all []tel.MissedChanged
	if err := json.Unmarshal(body, &all); err != nil {
		return fmt.Errorf("prontod's answer: %w", err)
	}
	if len(all) == 0 {
		fmt.Fprintln(out, "nobody was missed")
	}
	for _, m := range all {
		fmt.Fprintln(out, missedLine(m))
	}
	return nil
}

// missedLine is one caller as a person reads it.
func missedLine(m tel.MissedChanged) string {
	times := "once"
	if m.Calls > 1 {
		times = fmt.Sprintf("%d times", m.Calls)
	}
	name := ""
	if m.Name != "" {
		name = " " + m.Name
	}
	return fmt.Sprintf("%-16s%s: %s, last %s in %s, waited %s (%s)", m.Number, name, times,
		m.Last.Local().Format("2006-01-02 15:04"), m.Queue, m.Waited.Round(time.Second), m.Why)
}

// pastMissedLine is one row of the past as a person reads it.
func pastMissedLine(m store.Missed) string {
	line := missedLine(m.MissedChanged)
	if m.Closed == "" {
		return line + ", open"
	}
	line += fmt.Sprintf(", %s %s", m.Closed, m.At.Local().Format("2006-01-02 15:04"))
	if m.By != "" {
		line += " by " + string(m.By)
	}
	return line
}

// dismiss takes a number off the list.
func dismiss(args []string, out, errs io.Writer) error {
	flags, dir := controlFlags("dismiss", errs)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("name one number, as `prontoctl missed` shows it")
	}
	n, err := tel.ParseNumber(flags.Arg(0))
	if err != nil {
		return err
	}
	switch _, status, err := control.Ask(context.Background(), *dir, http.MethodDelete, "/missed/"+url.PathEscape(string(n))); {
	case err != nil:
		return err
	case status == http.StatusNotFound:
		return fmt.Errorf("%s is not on the list", n)
	case status != http.StatusNoContent:
		return fmt.Errorf("prontod answers %d", status)
	}
	fmt.Fprintf(out, "%s is off the list\n", n)
	return nil
}
