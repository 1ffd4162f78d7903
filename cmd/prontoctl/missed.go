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
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// missed lists the callers who were not served and whom nobody has called since.
func missed(args []string, out, errs io.Writer) error {
	flags, dir := controlFlags("missed", errs)
	if err := flags.Parse(args); err != nil {
		return err
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
