package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pronto-pbx/pronto/firmware/appliance/supervise"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/control"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// demo is the configuration of the demo office, documented field by field.
//
//go:embed office.yaml
var demo []byte

// office runs prontod, recordd and, unless told otherwise, linelab under the supervisor until Ctrl-C.
func office(args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("office", flag.ContinueOnError)
	flags.SetOutput(errs)
	bin := flags.String("bin", "bin", "directory of the programs")
	dir := flags.String("var", "var", "directory of the state")
	file := flags.String("config", "", "configuration file (default: VAR/pronto.yaml, made when missing)")
	noLab := flags.Bool("no-lab", false, "do not play customers and agents")
	pause := flags.Duration("longest-pause", 0, "before a program that dies again and again is restarted; 0: 30s")
	quiet := flags.Bool("quiet", false, "do not show the live board")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(*dir, "run"), 0o700); err != nil {
		return fmt.Errorf("the directory of the state cannot be made: %w", err)
	}
	if err := putBack(*dir, *file, out); err != nil {
		return err
	}
	cfg, err := prepare(*dir, file)
	if err != nil {
		return err
	}
	services, err := programs(*bin, *dir, *file, cfg, *noLab)
	if err != nil {
		return err
	}
	logFile, err := os.OpenFile(filepath.Join(*dir, "office.log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer logFile.Close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	faults := ""
	if !*noLab {
		faults = "  faults http://" + faultsAt + " (what can befall the mobile and the analog line, as buttons)\n"
	}
	fmt.Fprintf(out, "Pronto demo office\n  page   http://%s\n%s  SIP    %s (UDP and TCP), see the README for a phone of your own\n  log    %s\n  Ctrl-C ends it, `make crash` kills prontod\n\n",
		cfg.Web.Listen, faults, cfg.SIP.Listen, logFile.Name())
	pidFile := filepath.Join(*dir, "run", "office.pid") // beside what else is of this start alone
	sv, err := supervise.New(services, supervise.Options{
		Log: slog.New(slog.NewTextHandler(logFile, nil)), Output: io.MultiWriter(logFile, important{out}), Orphans: true, MaxDelay: *pause,
	})
	if err != nil {
		return err
	}
	go writePIDs(ctx, sv, pidFile)
	defer os.Remove(pidFile)
	if !*quiet {
		go func() {
			invite(ctx, *dir, out)
			board(ctx, *dir, out)
		}()
	}
	return sv.Run(ctx)
}

// prepare makes the configuration, and finds out early, in one sentence each, what would keep the office from
// starting.
func prepare(dir string, path *string) (config.Config, error) {
	if *path == "" {
		*path = filepath.Join(dir, "pronto.yaml")
		if err := writeDemo(*path); err != nil {
			return config.Config{}, err
		}
	}
	file := *path
	text, err := os.ReadFile(file)
	if err != nil {
		return config.Config{}, fmt.Errorf("the configuration cannot be read: %w", err)
	}
	cfg, _, err := config.ParseKnown(text) // which fields may be unknown is prontod's to say
	if err != nil {
		return cfg, fmt.Errorf("%s has mistakes:\n%w", file, err)
	}
	return cfg, free(cfg)
}

// writeDemo makes the demo's configuration where there is none.
func writeDemo(file string) error {
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	// linelab publishes its modems beside the state, wherever that is.
	text := strings.ReplaceAll(string(demo), "var/modem", filepath.Join(filepath.Dir(file), "modem"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return fmt.Errorf("the demo configuration cannot be written: %w", err)
	}
	return nil
}

// free finds ports that another program has.
func free(cfg config.Config) error {
	var errs []error
	if l, err := net.Listen("tcp", cfg.Web.Listen.String()); err != nil {
		errs = append(errs, fmt.Errorf("the page's port %s is used by another program", cfg.Web.Listen))
	} else {
		_ = l.Close()
	}
	if at := cfg.Web.TLSListen; at.IsValid() {
		if l, err := net.Listen("tcp", at.String()); err != nil {
			errs = append(errs, fmt.Errorf("the page's port %s is used by another program", at))
		} else {
			_ = l.Close()
		}
	}
	if c, err := net.ListenPacket("udp", cfg.SIP.Listen.String()); err != nil {
		errs = append(errs, fmt.Errorf("the SIP port %s is used by another program", cfg.SIP.Listen))
	} else {
		_ = c.Close()
	}
	return errors.Join(errs...)
}

// programs describes the services in their order.
func programs(bin, dir, file string, cfg config.Config, noLab bool) ([]supervise.Service, error) {
	all, err := telephony(bin, dir, file, "sim")
	if err == nil && !noLab {
		lab := []supervise.Service{{Name: "linelab", Args: labArgs(dir, cfg)}}
		err = found(bin, lab)
		all = append(all, lab...)
	}
	if err != nil {
		return nil, fmt.Errorf("%w; `make run` builds it", err)
	}
	return all, nil
}

// labArgs tells linelab which phones to play: all but the one that is kept for a person. Who serves no queue
// and may supervise does that.
func labArgs(dir string, cfg config.Config) []string {
	var agents, supervisors []string
	for _, p := range cfg.Phones {
		account := string(p.ID) + ":" + string(p.Password)
		switch {
		case p.Name == yours:
		case supervises(cfg, p.ID):
			supervisors = append(supervisors, account)
		default:
			agents = append(agents, account)
		}
	}
	args := []string{"-var", dir, "-page", faultsAt, "-pbx", cfg.SIP.Listen.String(), "-agents", strings.Join(agents, ","), "-supervisors", strings.Join(supervisors, ",")}
	if len(cfg.Trunks) > 0 {
		args = append(args, "-carrier", cfg.Trunks[0].Server)
	}
	return args
}

// faultsAt is where the demo office offers the faults of its line as buttons.
const faultsAt = "127.0.0.1:8090"

// supervises tells whether a phone is one of somebody who serves no queue and may supervise.
func supervises(cfg config.Config, phone tel.DeviceID) bool {
	for _, a := range cfg.Agents {
		serves := slices.ContainsFunc(cfg.Queues, func(q config.Queue) bool { return slices.Contains(q.Agents, a.ID) })
		if slices.Contains(a.Phones, phone) && len(a.Supervises) > 0 && !serves {
			return true
		}
	}
	return false
}

// yours is the name of the phone that nobody plays.
const yours = "You"

// important lets through to the terminal what is meant for a person: complaints, and what services
// say in plain words. Their other log lines would push the live board away; the log file has them.
type important struct{ out io.Writer }

// Write implements io.Writer.
func (w important) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		logged := strings.Contains(line, " level=")
		if !logged || strings.Contains(line, " level=ERROR") || strings.Contains(line, " level=WARN") {
			fmt.Fprint(w.out, line)
		}
	}
	return len(p), nil
}

// writePIDs keeps the process numbers where `prontoctl crash` finds them.
func writePIDs(ctx context.Context, sv *supervise.Supervisor, file string) {
	last := ""
	for ctx.Err() == nil {
		var lines []string
		for _, s := range sv.Status() {
			lines = append(lines, s.Name+" "+strconv.Itoa(s.PID))
		}
		if text := strings.Join(lines, "\n") + "\n"; text != last {
			if os.WriteFile(file+".new", []byte(text), 0o600) == nil && os.Rename(file+".new", file) == nil {
				last = text
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// prontodPID is the process number of the prontod whose state lies in a directory; 0 while it does not run.
func prontodPID(dir string) (int, error) {
	text, err := os.ReadFile(filepath.Join(dir, "run", "office.pid"))
	if errors.Is(err, fs.ErrNotExist) { // another supervisor keeps it, like systemd: it knows itself
		return control.PID(dir)
	} else if err != nil {
		return 0, fmt.Errorf("no office runs with -var %s: %w", dir, err)
	}
	for line := range strings.Lines(string(text)) {
		if pid, ok := strings.CutPrefix(strings.TrimSpace(line), "prontod "); ok {
			return strconv.Atoi(pid)
		}
	}
	return 0, errors.New("prontod is not among the services")
}

// crash kills prontod and tells how long it was away.
func crash(args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("crash", flag.ContinueOnError)
	flags.SetOutput(errs)
	dir := flags.String("var", stateDir(), "directory of the state")
	if err := flags.Parse(args); err != nil {
		return err
	}
	read := func() (int, error) { return prontodPID(*dir) }
	before, err := read()
	if err != nil || before <= 1 {
		return errors.Join(err, errors.New("prontod does not run now"))
	}
	start := time.Now()
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill prontod (%d): %w", before, err)
	}
	fmt.Fprintf(out, "prontod %d killed\n", before)
	for time.Since(start) < 30*time.Second {
		if now, err := read(); err == nil && now > 1 && now != before {
			fmt.Fprintf(out, "prontod %d runs again after %v\n", now, time.Since(start).Round(time.Millisecond))
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return errors.New("prontod did not come back within 30 s")
}
