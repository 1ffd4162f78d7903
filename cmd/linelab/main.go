// Command linelab is the world around the demo office: a carrier, a mobile network behind an emulated
// modem, customers who call in through both, and people at the agents' phones.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/pronto-pbx/pronto/cmd/linelab/lab"
)

// exitUseless tells the supervisor that starting again changes nothing.
const exitUseless = 125

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, out, errs io.Writer) int {
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		return command(args, out, errs)
	}
	flags := flag.NewFlagSet("linelab", flag.ContinueOnError)
	flags.SetOutput(errs)
	var cfg lab.Config
	cfg.Out = out
	flags.StringVar(&cfg.Dir, "var", "var", "directory where the modem's ports modem0-at and modem0-pcm appear")
	pbx := flags.String("pbx", "127.0.0.1:5060", "SIP address of the office")
	carrier := flags.String("carrier", "127.0.0.2:5070", "SIP address of the carrier")
	flags.StringVar(&cfg.Account, "account", "+390612345678:linelab-secret", "the office's number and password at the carrier")
	quirks := flags.String("quirks", "", "what the carrier does otherwise, by the names in presets: did_in_to,single_registration")
	agents := flags.String("agents", "", "phones to play: user:password,user:password")
	supervisors := flags.String("supervisors", "", "phones whose people listen to the agents now and then: user:password,user:password")
	flags.Uint64Var(&cfg.Seed, "seed", 1, "the same seed plays the same day")
	flags.Float64Var(&cfg.PerMinute, "calls-per-minute", 8, "customers who call in")
	page := flags.String("page", "", "address on this machine of a page with a button for each fault; empty: none")
	mishaps := flags.String("mishaps", "", "what befalls the modem in turn, by name: half_pdu,stuck_prompt,3g ..., or all")
	if err := flags.Parse(args); err != nil {
		return exitUseless
	}
	var err error
	if cfg.Box, err = netip.ParseAddrPort(*pbx); err != nil {
		fmt.Fprintln(errs, "linelab: -pbx:", err)
		return exitUseless
	}
	if cfg.Carrier, err = netip.ParseAddrPort(*carrier); err != nil {
		fmt.Fprintln(errs, "linelab: -carrier:", err)
		return exitUseless
	}
	if *page != "" {
		if cfg.Page, err = netip.ParseAddrPort(*page); err != nil {
			fmt.Fprintln(errs, "linelab: -page:", err)
			return exitUseless
		}
	}
	if cfg.Agents, err = lab.ParseAgents(*agents); err != nil {
		fmt.Fprintln(errs, "linelab: -agents:", err)
		return exitUseless
	}
	if cfg.Supervisors, err = lab.ParseAgents(*supervisors); err != nil {
		fmt.Fprintln(errs, "linelab: -supervisors:", err)
		return exitUseless
	}
	if cfg.Mishaps, err = lab.ParseMishaps(*mishaps); err != nil {
		fmt.Fprintln(errs, "linelab: -mishaps:", err)
		return exitUseless
	}
	number, _, _ := strings.Cut(cfg.Account, ":")
	if cfg.Quirks, err = lab.ParseQuirks(*quirks, number); err != nil {
		fmt.Fprintln(errs, "linelab: -quirks:", err)
		return exitUseless
	}
	cfg.Socket = filepath.Join(cfg.Dir, lab.Socket)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := lab.Run(ctx, cfg); err != nil {
		fmt.Fprintln(errs, "linelab:", err)
		return 1
	}
	return 0
}
