package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/control"
)

// ban is what prontod tells of one.
type ban struct {
	Source string
	Why    string
	Until  time.Time
	Bans   int
	Near   bool
}

// bans lists the addresses that prontod refuses.
func bans(args []string, out, errs io.Writer) error {
	flags, dir := controlFlags("bans", errs)
	if err := flags.Parse(args); err != nil {
		return err
	}
	body, _, err := control.Ask(context.Background(), *dir, http.MethodGet, "/bans")
	if err != nil {
		return err
	}
	var all []ban
	if err := json.Unmarshal(body, &all); err != nil {
		return fmt.Errorf("prontod's answer: %w", err)
	}
	if len(all) == 0 {
		fmt.Fprintln(out, "nobody is banned")
	}
	for _, b := range all {
		fmt.Fprintln(out, banLine(b, time.Now()))
	}
	return nil
}

// banLine is one ban as a person reads it.
func banLine(b ban, now time.Time) string {
	where := ""
	if b.Near {
		where = ", on the LAN: only its logins are refused"
	}
	return fmt.Sprintf("%-39s %s for %s (ban %d%s)", b.Source, b.Why, b.Until.Sub(now).Round(time.Second), b.Bans, where)
}

// unban lifts the ban of an address.
func unban(args []string, out, errs io.Writer) error {
	flags, dir := controlFlags("unban", errs)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("name one address, as `prontoctl bans` shows it")
	}
	name, _, _ := strings.Cut(flags.Arg(0), "/")
	a, err := netip.ParseAddr(name)
	if err != nil {
		return fmt.Errorf("%q is not an address", flags.Arg(0))
	}
	switch _, status, err := control.Ask(context.Background(), *dir, http.MethodDelete, "/bans/"+url.PathEscape(a.String())); {
	case err != nil:
		return err
	case status == http.StatusNotFound:
		return fmt.Errorf("%s is not banned", a)
	case status != http.StatusNoContent:
		return fmt.Errorf("prontod answers %d", status)
	}
	fmt.Fprintf(out, "%s may try again\n", a)
	return nil
}

func controlFlags(name string, errs io.Writer) (flags *flag.FlagSet, dir *string) {
	flags = flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(errs)
	return flags, flags.String("var", stateDir(), "directory of the state")
}
