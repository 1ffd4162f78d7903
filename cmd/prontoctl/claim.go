package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/control"
)

// claim prints the address with which a new box gets its owner, and with -lost opens a box whose owner
// has lost the password for an hour.
func claim(args []string, out, errs io.Writer) error {
	flags, dir := controlFlags("claim", errs)
	lost := flags.Bool("lost", false, "the owner's password is lost: let the box be claimed again for an hour")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx := context.Background()
	if *lost {
		if body, status, err := control.Ask(ctx, *dir, http.MethodPost, "/reopen"); err != nil {
			return err
		} else if status != http.StatusNoContent {
			return fmt.Errorf("prontod answers %d %s", status, body)
		}
	}
	d, err := door(ctx, *dir)
	if err != nil {
		return err
	}
	if d.Claimed && !*lost {
		fmt.Fprintln(out, "the box has an owner; with -lost it can be claimed again")
		return nil
	}
	fmt.Fprint(out, d)
	return nil
}

// entry is where and how a box can be claimed.
type entry struct {
	Claimed            bool
	Address            string
	Others             []string // of the same machine, for who is in another network
	HTTPS, Fingerprint string   // of the box's certificate; empty: plain HTTP only
}

// String is the address, and that over HTTPS with what the browser will show of the certificate.
func (e entry) String() string {
	text := "  " + e.Address + "\n"
	if e.HTTPS != "" {
		_, code, _ := strings.Cut(e.Address, "#")
		text += fmt.Sprintf("  https://%s/claim#%s\n  (certificate SHA-256 %s)\n", e.HTTPS, code, e.Fingerprint)
	}
	if len(e.Others) > 0 {
		text += "or, from another network that this machine is in,\n"
	}
	for _, other := range e.Others {
		text += "  " + other + "\n"
	}
	return text
}

// door asks whether the box has an owner, and where it can be claimed.
func door(ctx context.Context, dir string) (e entry, err error) {
	body, status, err := control.Ask(ctx, dir, http.MethodGet, "/claim")
	if err != nil {
		return e, err
	}
	if err := json.Unmarshal(body, &e); err != nil || status != http.StatusOK {
		return e, fmt.Errorf("prontod answers %d %s", status, body)
	}
	return e, nil
}

// invite tells, as soon as prontod answers, how a new box gets its owner.
func invite(ctx context.Context, dir string, out io.Writer) {
	for ctx.Err() == nil {
		if d, err := door(ctx, dir); err == nil {
			if !d.Claimed {
				fmt.Fprintf(out, "This box has no owner yet. To become its owner, open within an hour\n%s\n", d)
			}
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}
