// Command otavendor is the vendor's side of updates: it makes keys, and signs and publishes releases in a directory that
// any web server hands out.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = `otavendor init [flags]      draws all keys and begins a repository
otavendor publish [flags]   offers a release in a channel, with deltas from earlier ones
otavendor percent [flags]   changes how many boxes take a release; 0 stops it
otavendor withdraw [flags]  takes a release out of a channel
otavendor refresh [flags]   signs anew what expires soon: snapshot and timestamp, every day
otavendor due [flags]       says what has to be signed soon, and ends with 1 if something has
otavendor rotate [flags]    gives a role other keys, or signs root for another term
otavendor bundle [flags]    writes a release as a file for a stick, or to be uploaded

Each says more with -h. root.json of a new repository is what mkimage is given as -vendor-root.
Keep the keys of root and targets off line, each with another person: two of three sign. Those of snapshot and timestamp
lie where a job runs refresh every day. Commands need only the keys of the roles that they name.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	v := vendor{out: os.Stdout, errs: os.Stderr, ask: askTerminal, work: 18}
	switch err := v.run(ctx, os.Args[1:]); {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "otavendor:", err)
		os.Exit(1)
	}
}

// vendor is one run of the command.
type vendor struct {
	out, errs io.Writer
	ask       func(question string) (string, error) // for a pass phrase
	work      int                                   // logarithm of how often scrypt is gone through per key

	repo, keys, pass string
}

func (v *vendor) run(ctx context.Context, args []string) error {
	commands := map[string]func(context.Context, *flag.FlagSet, []string) error{
		"init": v.begin, "publish": v.publish, "percent": v.percent, "withdraw": v.withdraw,
		"refresh": v.refresh, "due": v.due, "rotate": v.rotate, "bundle": v.bundle,
	}
	if len(args) > 0 {
		if command, ok := commands[args[0]]; ok {
			flags := flag.NewFlagSet("otavendor "+args[0], flag.ContinueOnError)
			flags.SetOutput(v.errs)
			flags.StringVar(&v.repo, "repo", "repository", "directory of the repository")
			flags.StringVar(&v.keys, "keys", "keys", "directory of the key files that are at hand")
			flags.StringVar(&v.pass, "pass", "", "file with the pass phrase of the keys (default: it is asked for)")
			return command(ctx, flags, args[1:])
		}
	}
	fmt.Fprint(v.errs, usage)
	return flag.ErrHelp
}

// parse reads flags, and refuses what is left over.
func parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q: there is nothing like that to be said", flags.Arg(0))
	}
	return nil
}
