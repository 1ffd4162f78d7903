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
)

// verdict is why an agent does or does not ring for a caller.
type verdict struct {
	Agent, Verdict, Note string
	Until                time.Time
}

// why tells of each agent of a waiting caller's queue why it does or does not ring.
func why(args []string, out, errs io.Writer) error {
	flags, dir := controlFlags("why", errs)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("say CALL; `prontoctl status` shows who waits")
	}
	body, status, err := control.Ask(context.Background(), *dir, http.MethodGet, "/waiting/"+url.PathEscape(flags.Arg(0)))
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return refusal(body, status)
	}
	var all []verdict
	if err := json.Unmarshal(body, &all); err != nil {
		return fmt.Errorf("prontod's answer: %w", err)
	}
	for _, v := range all {
		fmt.Fprintln(out, whyLine(v, time.Now()))
	}
	return nil
}

// whyLine is one verdict as a person reads it.
func whyLine(v verdict, now time.Time) string {
	line := fmt.Sprintf("%-12s %s", v.Agent, v.Verdict)
	if v.Note != "" {
		line += " (" + v.Note + ")"
	}
	if !v.Until.IsZero() {
		line += fmt.Sprintf(", for %s", max(0, v.Until.Sub(now)).Round(time.Second))
	}
	return line
}
