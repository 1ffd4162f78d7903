// Command prontoctl is for the person at the console: it starts the demo office, kills prontod in it,
// and shows what the office is doing.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/pronto-pbx/pronto/firmware/certificate/authorities"
)

func main() {
	if _, err := authorities.Install(); err != nil { // a backup may go over HTTPS
		fmt.Fprintln(os.Stderr, "prontoctl:", err)
		os.Exit(1)
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// commands are what prontoctl can do, by their first word.
var commands = []struct {
	name, help string
	do         func(args []string, out, errs io.Writer) error
}{
	{"office", "start the demo office and keep it running", office},
	{"serve", "keep prontod and recordd running where no other supervisor does: in a container", serve},
	{"crash", "kill prontod of the running office with SIGKILL", crash},
	{"reload", "have prontod read its configuration again, and tell what it did", reload},
	{"status", "show queue, agents, lines and lamps once", status},
	{"calls", "list the latest finished calls", calls},
	{"claim", "print the address with which a new box gets its owner", claim},
	{"sms", "send a short message (sms send LINE NUMBER TEXT) or list the latest (sms list)", texts},
	{"sims", "show network, signal of the last 24 hours and credit of each SIM", sims},
	{"agents", "show what each agent does, and why", agents},
	{"agent", "give a command to an agent: login, logout, pause, resume, serve, assign ...", agent},
	{"move", "send a waiting caller to another queue", move},
	{"trace", "draw the SIP messages of a call, or write them as a capture", traced},
	{"why", "tell of each agent why it does or does not ring for a waiting caller", why},
	{"queue", "decide a history journal again and compare (queue replay [JOURNAL]), or print it as a queue_log (queue log)", queue},
	{"press", "press the simulated button at a lamp", press},
	{"bans", "list the addresses that are refused", bans},
	{"missed", "list the callers who were not served", missed},
	{"callbacks", "list who is owed a call, or take one off the list (callbacks drop ID)", callbacks},
	{"dismiss", "take a number off that list", dismiss},
	{"backup", "copy the box into an encrypted file (kit, confirm, now, list, check)", backups},
	{"restore", "bring a backup back at the next start of the box", restore},
	{"ended", "note how a program has ended, for the page: systemd's units do it", ended},
	{"unban", "lift the ban of an address", unban},
}

// stateDir is where the state lies unless -var says otherwise: a package for a system sets it.
func stateDir() string { return cmp.Or(os.Getenv("PRONTO_VAR"), "var") }

func run(args []string, out, errs io.Writer) int {
	if len(args) > 0 {
		for _, c := range commands {
			if c.name != args[0] {
				continue
			}
			if err := c.do(args[1:], out, errs); err != nil && !errors.Is(err, flag.ErrHelp) {
				fmt.Fprintf(errs, "prontoctl %s: %v\n", c.name, err)
				return 1
			}
			return 0
		}
	}
	fmt.Fprintln(errs, "usage: prontoctl COMMAND [flags]")
	for _, c := range commands {
		fmt.Fprintf(errs, "  %-9s %s\n", c.name, c.help)
	}
	return 2
}
