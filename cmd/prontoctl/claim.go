package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
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
	owned, address, err := door(ctx, *dir)
	if err != nil {
		return err
	}
	if owned && !*lost {
		fmt.Fprintln(out, "the box has an owner; with -lost it can be claimed again")
		return nil
	}
	fmt.Fprintln(out, address)
	return nil
}

// door asks whether the box has an owner, and where it can be claimed.
func door(ctx context.Context, dir string) (owned bool, address string, err error) {
	body, status, err := control.Ask(ctx, dir, http.MethodGet, "/claim")
	if err != nil {
		return false, "", err
	}
	var now struct {
		Claimed bool
		Address string
	}
	if err := json.Unmarshal(body, &now); err != nil || status != http.StatusOK {
		return false, "", fmt.Errorf("prontod answers %d %s", status, body)
	}
	return now.Claimed, now.Address, nil
}

// invite tells, as soon as prontod answers, how a new box gets its owner.
func invite(ctx context.Context, dir string, out io.Writer) {
	for ctx.Err() == nil {
		if owned, address, err := door(ctx, dir); err == nil {
			if !owned {
				fmt.Fprintf(out, "This box has no owner yet. To become its owner, open within an hour\n  %s\n\n", address)
			}
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}
