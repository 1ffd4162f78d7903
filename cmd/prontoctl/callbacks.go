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
)

// owed is what prontod tells of a callback.
type owed struct {
	ID, QueueName, State, Number, Name, Agent string
	Since, Next, Promise                      time.Time
	Place, Of, Attempts                       int
	Closed                                    bool
}

// callbacks lists the callers who have hung up and are owed a call, or takes one off the list.
func callbacks(args []string, out, errs io.Writer) error {
	flags, dir := controlFlags("callbacks", errs)
	n := flags.Int("past", 0, "list so many that have ended, the newest first")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case flags.NArg() == 0 && *n != 0:
		return past(*dir, out, "nobody has been called back yet", func(ctx context.Context, client *store.Client) (store.Page[store.Callback], error) {
			return client.ListCallbacks(ctx, store.CallbackQuery{Span: store.Span{Limit: *n}})
		}, pastCallbackLine)
	case flags.NArg() == 0:
		return listCallbacks(*dir, out)
	case flags.NArg() == 2 && flags.Arg(0) == "drop" && flags.Arg(1) != "":
		return dropCallback(*dir, flags.Arg(1), out)
	default:
		return errors.New("say nothing, or drop ID; the list shows the ids")
	}
}

func listCallbacks(dir string, out io.Writer) error {
	body, status, err := control.Ask(context.Background(), dir, http.MethodGet, "/callbacks")
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return refusal(body, status)
	}
	var all []owed
	if err := json.Unmarshal(body, &all); err != nil {
		return fmt.Errorf("prontod's answer: %w", err)
	}
	if len(all) == 0 {
		fmt.Fprintln(out, "nobody waits to be called back")
	}
	for _, c := range all {
		fmt.Fprintln(out, callbackLine(c, time.Now()))
	}
	return nil
}

// callbackLine is one callback as a person reads it.
func callbackLine(c owed, now time.Time) string {
	line := fmt.Sprintf("%-12s %-16s", c.ID, c.Number)
	if c.Name != "" {
		line += " " + c.Name
	}
	line += fmt.Sprintf(" in %s since %s, %s", c.QueueName, now.Sub(c.Since).Round(time.Second), c.State)
	for _, part := range []struct {
		is   bool
		text string
	}{
		{c.Agent != "", "with " + c.Agent},
		{c.Place > 0, fmt.Sprintf("place %d of %d", c.Place, c.Of)},
		{c.Closed, "outside of the queue's hours"},
		{c.Attempts > 0, fmt.Sprintf("%d failed attempts", c.Attempts)},
		{!c.Next.IsZero(), "again from " + c.Next.Local().Format("15:04")},
		{!c.Promise.IsZero() && !now.After(c.Promise), "promised by " + c.Promise.Local().Format("2006-01-02 15:04")},
		{!c.Promise.IsZero() && now.After(c.Promise), "LATE, was promised by " + c.Promise.Local().Format("2006-01-02 15:04")},
	} {
		if part.is {
			line += ", " + part.text
		}
	}
	return line
}

// pastCallbackLine is one request that has ended as a person reads it.
func pastCallbackLine(c store.Callback) string {
	line := fmt.Sprintf("%s  %-16s in %s, asked %s, %s", c.At.Local().Format(time.DateTime), c.Number, c.Queue, c.Asked.Local().Format(time.DateTime), c.Outcome)
	if c.Agent != "" {
		line += " by " + string(c.Agent)
	}
	if c.Attempts > 0 {
		line += fmt.Sprintf(", %d failed attempts", c.Attempts)
	}
	if !c.Promise.IsZero() && c.At.After(c.Promise) {
		line += ", later than promised"
	}
	return line
}

func dropCallback(dir, id string, out io.Writer) error {
	body, status, err := control.Ask(context.Background(), dir, http.MethodDelete, "/callbacks/"+url.PathEscape(id))
	switch {
	case err != nil:
		return err
	case status == http.StatusNotFound:
		return fmt.Errorf("%s is not on the list", id)
	case status != http.StatusNoContent:
		return refusal(body, status)
	}
	fmt.Fprintf(out, "%s is off the list: nobody calls back\n", id)
	return nil
}
