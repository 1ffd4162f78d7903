package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/control"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// texts sends a short message through a line, or lists the latest ones.
func texts(args []string, out, errs io.Writer) error {
	flags, dir := controlFlags("sms", errs)
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch flags.Arg(0) {
	case "send":
		if flags.NArg() != 4 {
			return errors.New("write: sms send LINE NUMBER TEXT, with quotes around the text")
		}
		return sendText(*dir, flags.Arg(1), flags.Arg(2), flags.Arg(3), out)
	case "list", "":
		return listTexts(*dir, out)
	default:
		return fmt.Errorf("%q is not known: sms send LINE NUMBER TEXT, or sms list", flags.Arg(0))
	}
}

func sendText(dir, line, to, text string, out io.Writer) error {
	body, status, err := control.Order(context.Background(), dir, "/sms", map[string]string{"line": line, "to": to, "text": text})
	if err != nil {
		return err
	}
	if status != http.StatusAccepted {
		return errors.New(strings.TrimSpace(string(body)))
	}
	var m tel.SMS
	if err := json.Unmarshal(body, &m); err != nil {
		return fmt.Errorf("prontod's answer: %w", err)
	}
	fmt.Fprintf(out, "%s will be sent in %d parts; `prontoctl sms list` tells what becomes of it\n", m.ID, m.Parts)
	return nil
}

func listTexts(dir string, out io.Writer) error {
	body, status, err := control.Ask(context.Background(), dir, http.MethodGet, "/sms")
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return errors.New(strings.TrimSpace(string(body)))
	}
	var all []tel.SMS
	if err := json.Unmarshal(body, &all); err != nil {
		return fmt.Errorf("prontod's answer: %w", err)
	}
	if len(all) == 0 {
		fmt.Fprintln(out, "no messages yet")
	}
	for _, m := range all {
		fmt.Fprintln(out, textLine(m))
	}
	return nil
}

// textLine is one message as a person reads it. What others write is quoted, so that it moves no cursor.
func textLine(m tel.SMS) string {
	who := "from " + strconv.Quote(m.From)
	if m.To != "" {
		who = "to " + string(m.To)
	}
	line := fmt.Sprintf("%s  %-10s %-13s %-18s %q", m.At.Local().Format(time.DateTime), m.Line, m.State, who, m.Text)
	switch {
	case m.State == tel.SMSBroken:
		line += fmt.Sprintf("  (%s: %s)", m.Why, strings.Join(m.Raw, " "))
	case m.Why != "":
		line += "  (" + m.Why + ")"
	case m.Lacks > 0:
		line += fmt.Sprintf("  (%d of %d parts are missing)", m.Lacks, m.Parts)
	}
	return line
}
