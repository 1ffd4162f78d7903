// Command pibench tries what no emulation shows: a real board, its card, its boot loader and its power. It switches the
// power off at random moments through a relay, reads the serial console, and says after each start whether the box
// came back. README.md beside this file is the checklist around it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/drivers/serialport"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "pibench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("pibench", flag.ContinueOnError)
	flags.SetOutput(out)
	port := flags.String("serial", "", "serial port on which the board's console is, at 115,200 baud")
	relay := flags.String("power", "", "command that switches the power; it is given on or off as its last argument")
	card := flags.String("card", "", "what the card is called in the results: maker, model, size")
	results := flags.String("results", "", "CSV file to which each start is added; empty: none")
	p := plan{}
	flags.IntVar(&p.Cuts, "cuts", 100, "how often the power is cut")
	flags.DurationVar(&p.Earliest, "earliest", time.Second, "the earliest cut after power-on")
	flags.DurationVar(&p.Latest, "latest", 40*time.Second, "the latest cut after power-on")
	flags.DurationVar(&p.Dark, "dark", 3*time.Second, "how long the board is without power, for its capacitors to empty")
	flags.DurationVar(&p.Limit, "limit", 2*time.Minute, "how long a whole start may take")
	flags.Uint64Var(&p.Seed, "seed", uint64(time.Now().UnixNano()), "the same seed cuts at the same moments")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *port == "" || strings.TrimSpace(*relay) == "" {
		return errors.New("want -serial and -power; README.md says how the board is wired")
	}
	if err := p.check(); err != nil {
		return err
	}
	log := io.Discard
	if *results != "" {
		f, err := os.OpenFile(*results, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		log = f
	}
	console, err := serialport.OpenCommand(*port, 115200)
	if err != nil {
		return fmt.Errorf("open the console at %s: %w", *port, err)
	}
	b := bench{Plan: p, Card: *card, Console: console, Power: command(strings.Fields(*relay)), Out: out, Results: log, Sleep: sleep}
	return b.run(ctx)
}

// command switches the power by a program.
func command(words []string) func(ctx context.Context, on bool) error {
	return func(ctx context.Context, on bool) error {
		state := "off"
		if on {
			state = "on"
		}
		said, err := exec.CommandContext(ctx, words[0], append(words[1:len(words):len(words)], state)...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("switch the power %s: %w: %s", state, err, strings.TrimSpace(string(said)))
		}
		return nil
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
