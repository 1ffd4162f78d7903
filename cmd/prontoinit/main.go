// Command prontoinit is the first program of a box: it mounts what the others need, gives the box its
// network and its time, keeps the other programs and their sockets, feeds the watchdog and ends it all.
//
// Called as `prontoinit service NAME ARGUMENTS...` it is what a service begins as: see become.
//
// When it fails it ends; the kernel then panics, as its arguments say, and starts the box anew.
package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	_ "time/tzdata" // Europe/Rome: an office names it, and a copy the office

	"github.com/pronto-pbx/pronto/board/logring"
	"github.com/pronto-pbx/pronto/board/power"
)

// logSize bounds the lines that are kept in memory, in bytes.
const logSize = 1 << 20

func main() {
	if len(os.Args) > 2 && os.Args[1] == "service" {
		fmt.Fprintln(os.Stderr, "prontoinit:", become(os.Args[2], os.Args[3:]))
		os.Exit(1)
	}
	if install := installer(); len(os.Args) > 1 && os.Args[1] == reinstallArgument && install != nil {
		os.Exit(install(os.Args[2:], os.Stdout, os.Stderr))
	}
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "prontoinit: this is the first program of a box and runs nowhere else")
		os.Exit(1)
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "prontoinit:", err)
		os.Exit(1)
	}
}

func run() error {
	if err := mountAll(); err != nil {
		return err
	}
	ring, err := logring.Open("/run/log/pronto.log", logSize)
	if err != nil {
		return err
	}
	out := io.MultiWriter(os.Stderr, ring)
	log := slog.New(slog.NewTextHandler(out, nil)).With("service", "prontoinit")
	if isRecovery() {
		return help(log, out)
	}
	b, err := start(log, out, ring)
	if restart, ok := errors.AsType[errRestart](err); ok {
		log.Warn("the box starts anew", "why", restart.why)
		leaveHot(log)
		return power.Now(power.Restart, dataDir, log)
	} else if err != nil {
		log.Error("the box does not start", "err", err)
		return errors.Join(err, keepLog(ring))
	}
	end := b.attend()
	log.Info("the box ends", "how", map[power.End]string{power.Off: "off", power.Restart: "restart", power.Try: "trial"}[end])
	b.stop()
	if err := keepLog(ring); err != nil {
		log.Warn("log not saved", "err", err)
	}
	return power.Now(end, dataDir, log)
}

// lastLog is the log of the last run that came to an end, or to trouble, of which the box knew.
const lastLog = dataDir + "/last.log"

func keepLog(ring *logring.Ring) error { return ring.Save(lastLog) }

// errRestart ends a start: the box is to start anew, and then something else happens.
type errRestart struct{ why string }

func (e errRestart) Error() string { return "the box starts anew: " + e.why }
