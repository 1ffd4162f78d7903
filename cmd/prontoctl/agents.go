package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/control"
)

// agentView is what prontod tells of an agent.
type agentView struct {
	ID, Name, State, Queue, Reason, By string
	Since, WrapUntil, ShiftEnds        time.Time
	Help                               bool
	Queues, Out                        []string
}

// agents lists what everybody does, and why.
func agents(args []string, out, errs io.Writer) error {
	flags, dir := controlFlags("agents", errs)
	if err := flags.Parse(args); err != nil {
		return err
	}
	body, status, err := control.Ask(context.Background(), *dir, http.MethodGet, "/queues")
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return refusal(body, status)
	}
	var all struct{ Agents []agentView }
	if err := json.Unmarshal(body, &all); err != nil {
		return fmt.Errorf("prontod's answer: %w", err)
	}
	for _, a := range all.Agents {
		fmt.Fprintln(out, agentLine(a, time.Now()))
	}
	return nil
}

// agentLine is one agent as a person reads it.
func agentLine(a agentView, now time.Time) string {
	line := fmt.Sprintf("%-12s %-20s %-11s", a.ID, a.Name, a.State)
	if !a.Since.IsZero() {
		line += fmt.Sprintf(" %s", now.Sub(a.Since).Round(time.Second))
	}
	for _, part := range []struct {
		is   bool
		text string
	}{
		{a.Queue != "", "of " + a.Queue},
		{a.Reason != "", "(" + a.Reason + ")"},
		{a.By != "", "by " + a.By},
		{!a.WrapUntil.IsZero(), "until " + a.WrapUntil.Local().Format("15:04:05")},
		{a.Help, "ASKS FOR HELP"},
		{len(a.Queues) > 0, "serves " + strings.Join(a.Queues, " ")},
		{len(a.Out) > 0, "out of " + strings.Join(a.Out, " ")},
		{!a.ShiftEnds.IsZero(), "shift until " + a.ShiftEnds.Local().Format("15:04")},
	} {
		if part.is {
			line += ", " + part.text
		}
	}
	return line
}

// command is prontod's word for a command about an agent; empty for one that does not exist.
func command(word string) string {
	switch word {
	case "login", "logout", "pause", "resume", "serve", "add", "remove", "assign", "help", "dispose":
		return word
	case "finish":
		return "finish_wrap_up"
	case "extend":
		return "extend_wrap_up"
	case "enter":
		return "queue_enter"
	case "leave":
		return "queue_leave"
	case "helped":
		return "help_done"
	default:
		return ""
	}
}

// agent gives a command to, or about, one agent, as a supervisor does.
func agent(args []string, out, errs io.Writer) error {
	flags, dir := controlFlags("agent", errs)
	if err := flags.Parse(args); err != nil {
		return err
	}
	do := command(flags.Arg(0))
	if flags.NArg() < 2 || do == "" {
		return errors.New("say COMMAND AGENT [REASON, QUEUE, CALL or DISPOSITION]; commands are login, logout, pause, resume, finish, extend, serve, enter, leave, add, remove, assign, help, helped, dispose")
	}
	with := strings.Join(flags.Args()[2:], " ")
	body, status, err := control.Ask(context.Background(), *dir, http.MethodPost, "/agents/"+url.PathEscape(flags.Arg(1))+"/"+do+"?with="+url.QueryEscape(with))
	if err != nil {
		return err
	}
	if status != http.StatusNoContent {
		return refusal(body, status)
	}
	fmt.Fprintf(out, "done: %s\n", strings.Join(flags.Args(), " "))
	return nil
}

// move sends a waiting caller to another queue.
func move(args []string, out, errs io.Writer) error {
	flags, dir := controlFlags("move", errs)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 2 {
		return errors.New("say CALL QUEUE; `prontoctl status` shows both")
	}
	body, status, err := control.Ask(context.Background(), *dir, http.MethodPost, "/waiting/"+url.PathEscape(flags.Arg(0))+"/move?with="+url.QueryEscape(flags.Arg(1)))
	if err != nil {
		return err
	}
	if status != http.StatusNoContent {
		return refusal(body, status)
	}
	fmt.Fprintf(out, "moved to %s\n", flags.Arg(1))
	return nil
}

// press presses the simulated button at a lamp.
func press(args []string, out, errs io.Writer) error {
	flags, dir := controlFlags("press", errs)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("name one lamp, as `prontoctl status` shows it")
	}
	body, status, err := control.Ask(context.Background(), *dir, http.MethodPost, "/buttons/"+url.PathEscape(flags.Arg(0))+"/press")
	if err != nil {
		return err
	}
	if status != http.StatusNoContent {
		return refusal(body, status)
	}
	fmt.Fprintf(out, "pressed the button at %s\n", flags.Arg(0))
	return nil
}

// refusal is why prontod did not do something, in its words.
func refusal(body []byte, status int) error {
	return errors.New(cmp.Or(strings.TrimSpace(string(body)), fmt.Sprintf("prontod answers %d", status)))
}
