package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/pronto-pbx/pronto/firmware/backup"
	"github.com/pronto-pbx/pronto/firmware/backup/places"
	"github.com/pronto-pbx/pronto/firmware/config"
)

// stateFlags are those of commands that work on the files of a box, whether it runs or not.
func stateFlags(name string, errs io.Writer) (flags *flag.FlagSet, source func() backup.Source) {
	flags = flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(errs)
	dir := flags.String("var", stateDir(), "directory of the state")
	file := flags.String("config", os.Getenv("PRONTO_CONFIG"), "configuration file (default: $PRONTO_CONFIG, or VAR/pronto.yaml)")
	return flags, func() backup.Source {
		return backup.Source{Dir: *dir, Config: cmp.Or(*file, filepath.Join(*dir, "pronto.yaml"))}
	}
}

// backups makes and looks at backups.
func backups(args []string, out, errs io.Writer) error {
	actions := map[string]func(ctx context.Context, s backup.Source, rest []string, out io.Writer) error{
		"kit": makeKit, "confirm": confirmKit, "now": backupNow, "list": listBackups, "check": checkBackup,
	}
	flags, source := stateFlags("backup", errs)
	if err := flags.Parse(args); err != nil {
		return err
	}
	do := actions[flags.Arg(0)]
	if do == nil {
		return errors.New("use backup kit, backup confirm, backup now [FOLDER], backup list FOLDER or backup check FILE")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return do(ctx, source(), flags.Args()[1:], out)
}

// makeKit prints a new recovery kit, once.
func makeKit(_ context.Context, s backup.Source, _ []string, out io.Writer) error {
	if k, err := backup.OpenKeys(s); err != nil {
		return err
	} else if k.Kit != "" {
		fmt.Fprintf(out, "There was a kit of %s. It opens the backups made until now; keep it as long as them.\n\n", k.KitMade.Format(time.DateOnly))
	}
	secret, err := backup.NewKit(s, time.Now())
	if err != nil {
		return err
	}
	fmt.Fprintf(out, `RECOVERY KIT of this box. Print it, or write it down, and keep it where the box is not.
Without it nobody can open a backup when the box is broken or stolen, and we cannot help.

    %s

Then type it or its last 8 characters in once, to be sure that it can be read:  prontoctl backup confirm
`, secret)
	return nil
}

// confirmKit takes the kit's key as it was printed.
func confirmKit(_ context.Context, s backup.Source, rest []string, out io.Writer) error {
	secret, err := typed(rest, out, "key of the recovery kit: ")
	if err != nil {
		return err
	}
	if err := backup.Confirm(s, secret, time.Now()); err != nil {
		return err
	}
	fmt.Fprintln(out, "this is the kit of this box; its backups can be opened with it")
	return nil
}

// typed is what stands on the command line, or what somebody types.
func typed(rest []string, out io.Writer, ask string) (string, error) {
	if len(rest) > 0 {
		return strings.Join(rest, " "), nil
	}
	fmt.Fprint(out, ask)
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil && line == "" {
		return "", fmt.Errorf("nothing was typed: %w", err)
	}
	return line, nil
}

// backupNow makes a backup at once.
func backupNow(ctx context.Context, s backup.Source, rest []string, out io.Writer) error {
	text, err := os.ReadFile(s.Config)
	if err != nil {
		return fmt.Errorf("the configuration cannot be read: %w", err)
	}
	cfg, _, err := config.ParseKnown(text)
	if err != nil {
		return err
	}
	place := cfg.Backup
	if len(rest) > 0 {
		if place.To, err = filepath.Abs(rest[0]); err != nil {
			return err
		}
	}
	if place.To == "" {
		return errors.New("say where to: backup now FOLDER, or backup: {to: PLACE} in the configuration")
	}
	if info, err := os.Stat(place.To); filepath.IsAbs(place.To) && (err != nil || !info.IsDir()) {
		return fmt.Errorf("%s is no folder that is there now: is the stick plugged in?", place.To)
	}
	to, err := places.Open(place, s.Dir)
	if err != nil {
		return err
	}
	st, err := backup.Make(ctx, s, to, place.To, backup.Version(), time.Now())
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s in %s: %d files, %d kB, written and read back\n", st.Name, place.To, st.Files, st.Bytes/1000)
	return nil
}

// listBackups lists those of a folder.
func listBackups(ctx context.Context, s backup.Source, rest []string, out io.Writer) error {
	if len(rest) != 1 {
		return errors.New("say which folder")
	}
	names, err := backup.Folder(rest[0]).List(ctx)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, n := range names {
		at, _ := backup.MadeAt(n)
		fmt.Fprintf(out, "%s  %s\n", at.Local().Format("2006-01-02 15:04"), n)
	}
	if len(names) == 0 {
		fmt.Fprintln(out, "there is no backup")
	}
	return nil
}

// checkBackup reads one to its end with the box's own key.
func checkBackup(_ context.Context, s backup.Source, rest []string, out io.Writer) error {
	if len(rest) != 1 {
		return errors.New("say which file")
	}
	f, err := os.Open(rest[0])
	if err != nil {
		return err
	}
	defer f.Close()
	m, t, err := backup.CheckOwn(s, f)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s, %s: %d files, %d kB, whole\n", m.Name, m.Made.Local().Format("2006-01-02 15:04"), t.Files, t.Bytes/1000)
	return nil
}

// restore unpacks a backup, which takes effect at the next start.
func restore(args []string, out, errs io.Writer) error {
	flags, source := stateFlags("restore", errs)
	only := flags.String("only", "", "parts to restore, separated by commas (default: all)")
	carriers := flags.Bool("carriers", false, "the box of the backup is gone: take over its accounts at the carriers")
	forget := flags.Bool("forget", false, "forget a restore that has not taken effect yet")
	pending := flags.Bool("pending", false, "put a restore in place that was asked for: for who starts the box, before anything else of it runs")
	key := flags.String("key", "", "file with the key of the recovery kit (default: it is asked for)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s := source()
	if *forget {
		return backup.Discard(s)
	}
	if *pending {
		return putBack(s.Dir, s.Config, out)
	}
	if flags.NArg() != 1 {
		return errors.New("say which file")
	}
	chapters, err := backup.ParseChapters(*only)
	if err != nil {
		return err
	}
	secret, err := kitKey(*key, out)
	if err != nil {
		return err
	}
	kit, err := backup.ParseKey(secret)
	if err != nil {
		return err
	}
	f, err := os.Open(flags.Arg(0))
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := backup.Stage(s, f, backup.Choice{Chapters: chapters, Carriers: *carriers, By: "console"}, kit)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s, backup of %s: %v lie ready and take effect when the box starts next\n", r.Name, r.Made.Local().Format("2006-01-02 15:04"), r.Chapters)
	if len(r.Disabled) > 0 {
		fmt.Fprintf(out, "it was made by another box: the lines %s are switched off, so that the two do not take each other's calls;\nif the other box is gone, do it again with -carriers\n", strings.Join(r.Disabled, ", "))
	}
	return nil
}

func kitKey(file string, out io.Writer) (string, error) {
	if file == "" {
		return typed(nil, out, "key of the recovery kit: ")
	}
	text, err := os.ReadFile(file)
	return string(text), err
}

// putBack applies a restore before anything has the state open.
func putBack(dir, file string, out io.Writer) error {
	s := backup.Source{Dir: dir, Config: cmp.Or(file, filepath.Join(dir, "pronto.yaml"))}
	chapters, err := backup.Apply(s)
	if err != nil {
		return fmt.Errorf("a backup cannot be put back: %w", err)
	}
	if len(chapters) > 0 {
		fmt.Fprintf(out, "restored from a backup: %v\n", chapters)
	}
	return nil
}
