package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/pronto-pbx/pronto/cmd/linelab/lab"
	"github.com/pronto-pbx/pronto/cmd/linelab/load"
	"github.com/pronto-pbx/pronto/cmd/linelab/scenario"
)

const usage = `linelab [flags]                     plays the world around the demo office
linelab scenario [flags] FILE|NAME  plays a scenario of a GSM line; -words explains the language, -list the shipped ones
linelab load [flags]                calls through any SIP server and measures it; linelab load -h explains
linelab faults [-var DIR]           lists the faults of the lines and of the board; * marks those that last now
linelab fault LINE NAME [ARGUMENT]  lets one befall a line of the running lab: linelab fault gsm0 unplug, linelab fault fxo0 no_voltage
linelab fault board NAME            lets one befall the board of the demo office: linelab fault board hot
linelab heal LINE|board NAME|all    ends it
`

// command runs a subcommand.
func command(args []string, out, errs io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch args[0] {
	case "load":
		context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
		return generateLoad(ctx, args[1:], out, errs)
	case "scenario":
		err = playScenario(ctx, args[1:], out, errs)
	case "faults", "fault", "heal":
		err = faults(ctx, args, out, errs)
	case "help":
		fmt.Fprint(out, usage)
	default:
		fmt.Fprintf(errs, "linelab: there is no %q\n%s", args[0], usage)
		return 2
	}
	if err != nil {
		fmt.Fprintln(errs, "linelab:", err)
		return 1
	}
	return 0
}

// generateLoad calls through a server and says what became of it: 0 kept all bars, 1 did not, 2 was asked wrongly.
func generateLoad(ctx context.Context, args []string, out, errs io.Writer) int {
	cfg, err := load.Parse(args, errs)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(errs, "linelab load: %v (linelab load -h explains)\n", err)
		return 2
	}
	report, err := load.Run(ctx, cfg, errs)
	if err != nil {
		fmt.Fprintln(errs, "linelab load:", err)
		return 1
	}
	if cfg.JSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(report)
	} else {
		err = report.Text(out)
	}
	if err != nil {
		fmt.Fprintln(errs, "linelab load: the report:", err)
		return 1
	}
	if !report.Kept() {
		return 1
	}
	return 0
}

func playScenario(ctx context.Context, args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("linelab scenario", flag.ContinueOnError)
	flags.SetOutput(errs)
	words := flags.Bool("words", false, "explain the language")
	list := flags.Bool("list", false, "list the shipped scenarios")
	show := flags.Bool("show", false, "print the scenario in place of playing it")
	ports := flags.String("ports", "", "directory where the modem's ports modem0-at and modem0-pcm appear for another program to serve")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case *words:
		fmt.Fprint(out, scenario.Words())
		return nil
	case *list:
		fmt.Fprintln(out, strings.Join(scenario.Shipped(), "\n"))
		return nil
	case flags.NArg() != 1:
		return fmt.Errorf("name one scenario: a file, or one of\n  %s", strings.Join(scenario.Shipped(), "\n  "))
	}
	name := flags.Arg(0)
	source, err := scenario.Source(name)
	if err != nil {
		text, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("read the scenario: %w", err)
		}
		source = string(text)
	}
	if *show {
		fmt.Fprint(out, source)
		return nil
	}
	script, err := scenario.Parse(name, source)
	if err != nil {
		return err
	}
	return scenario.Play(ctx, script, scenario.Stage{Out: out, Dir: *ports})
}

// faults lists them, or passes a question on to the running lab.
func faults(ctx context.Context, args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("linelab "+args[0], flag.ContinueOnError)
	flags.SetOutput(errs)
	dir := flags.String("var", "var", "directory of the running lab")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	board := filepath.Join(*dir, onBoard)
	if flags.Arg(0) == onBoard && args[0] != "faults" {
		return boardFault(args[0], board, flags.Args()[1:])
	}
	if args[0] != "faults" {
		told, err := lab.Ask(ctx, filepath.Join(*dir, lab.Socket), strings.Join(append([]string{args[0]}, flags.Args()...), " "))
		fmt.Fprint(out, told)
		return err
	}
	for _, line := range lab.Lines() {
		fmt.Fprintf(out, "%s:\n", line)
		told, err := lab.Ask(ctx, filepath.Join(*dir, lab.Socket), "faults "+line)
		if err == nil {
			fmt.Fprint(out, told)
			continue
		}
		for _, f := range lab.Faults(line) { // no lab runs
			takes := ""
			if f.Takes != "" {
				takes = " [" + f.Takes + "]"
			}
			fmt.Fprintf(out, "%-28s %s\n", f.Name+takes, f.Says)
		}
	}
	listBoardFaults(out, board)
	return nil
}
