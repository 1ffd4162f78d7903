package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/replay"
	"github.com/pronto-pbx/pronto/firmware/cdr"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/report/queuelog"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// queue is what can be done with what the queues have written down.
func queue(args []string, out, errs io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "replay":
			return queueReplay(args[1:], out, errs)
		case "log":
			return queueLog(args[1:], out, errs)
		}
	}
	return errors.New("say replay [JOURNAL], to decide everything again and compare, or log, for a queue_log as Asterisk writes it")
}

// queueReplay decides a history journal again and prints where it comes out otherwise. It fails where it does, and
// where nothing could be decided.
func queueReplay(args []string, out, errs io.Writer) error {
	flags, dir := controlFlags("queue replay", errs)
	most := flags.Int("most", 10, "print so many differences")
	if err := flags.Parse(args); err != nil {
		return err
	}
	path := filepath.Join(*dir, "history")
	switch flags.NArg() {
	case 0:
	case 1:
		path = flags.Arg(0)
	default:
		return errors.New("say one journal: its directory, or one of its files")
	}
	check := replay.Check{Most: *most}
	damage, err := journal.ReadAll(path, func(r journal.Record) error {
		if err := check.Take(r.Kind, r.Body); err != nil {
			fmt.Fprintf(errs, "position %d: %v\n", uint64(r.Pos), err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, d := range damage {
		fmt.Fprintln(errs, d)
	}
	for _, d := range check.Differences {
		fmt.Fprintln(out, d)
	}
	fmt.Fprintf(out, "%d decisions made again, %d come out otherwise, %d could not be made again (no whole state before them)\n", check.Decisions, check.Different, check.Passed)
	switch {
	case check.Different > 0:
		return fmt.Errorf("%d decisions come out otherwise than they are recorded", check.Different)
	case check.Unreadable > 0:
		return fmt.Errorf("%d records make no sense", check.Unreadable)
	case check.Decisions == 0:
		return errors.New("the journal holds no decision that can be made again")
	}
	return nil
}

// queueLog prints what happened in the queues as Asterisk's queue_log does, as far back as the journal reaches.
func queueLog(args []string, out, errs io.Writer) error {
	flags, dir := controlFlags("queue log", errs)
	from := flags.String("from", "", "first day, such as 2026-03-02; default: as far as the journal reaches")
	to := flags.String("to", "", "last day; default: today")
	if err := flags.Parse(args); err != nil {
		return err
	}
	path := filepath.Join(*dir, "history")
	switch flags.NArg() {
	case 0:
	case 1:
		path = flags.Arg(0)
	default:
		return errors.New("say one journal: its directory, or one of its files")
	}
	first, after, err := days(*from, *to, time.Now())
	if err != nil {
		return err
	}
	log := queuelog.New(first, after)
	damage, err := journal.ReadAll(path, func(r journal.Record) error {
		if err := take(log, r); err != nil {
			fmt.Fprintf(errs, "position %d: %v\n", uint64(r.Pos), err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, d := range damage {
		fmt.Fprintln(errs, d)
	}
	return log.Write(out)
}

// take reads one record of a journal for a queue_log.
func take(log *queuelog.Log, r journal.Record) error {
	switch r.Kind {
	case replay.KindDecision:
		at, events, err := replay.Published(r.Body)
		for _, e := range events {
			log.Take(at, e)
		}
		return err
	case tel.CallEnded{}.Kind():
		e, err := cdr.Decode(r.Kind, r.Body)
		if err == nil {
			log.Take(r.Wall, e)
		}
		return err
	default:
		return nil
	}
}

// days is the span of whole days by the clock of this machine; without a first one it begins at the beginning.
func days(from, to string, now time.Time) (first, after time.Time, err error) {
	if from != "" {
		if first, err = time.ParseInLocation(time.DateOnly, from, time.Local); err != nil {
			return first, after, fmt.Errorf("%s is no day, such as 2026-03-02", from)
		}
	}
	last := now
	if to != "" {
		if last, err = time.ParseInLocation(time.DateOnly, to, time.Local); err != nil {
			return first, after, fmt.Errorf("%s is no day, such as 2026-03-02", to)
		}
	}
	y, m, d := last.Date()
	return first, time.Date(y, m, d+1, 0, 0, 0, 0, time.Local), nil
}
