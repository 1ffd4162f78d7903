package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	"github.com/pronto-pbx/pronto/firmware/control"
	"github.com/pronto-pbx/pronto/firmware/trace"
)

// traced draws the SIP messages of a call, or writes them as a capture.
func traced(args []string, out, errs io.Writer) error {
	flags, dir := controlFlags("trace", errs)
	file := flags.String("w", "", "write a pcapng file instead, for Wireshark and its like")
	sound := flags.Bool("rtp", false, "with -w: with the RTP of the call, where the owner has permitted that; it is noted who takes it")
	whole := flags.Bool("text", false, "show the text of each message, too")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("say CALL or a SIP Call-ID; `prontoctl calls` lists the last ones")
	}
	name := url.PathEscape(flags.Arg(0))
	if *sound && *file == "" {
		return errors.New("-rtp needs -w FILE: sound is not drawn")
	}
	if *file != "" {
		path := "/captures/" + name
		if *sound {
			path += "/rtp"
		}
		body, status, err := control.Ask(context.Background(), *dir, http.MethodGet, path)
		if err != nil {
			return err
		}
		if status != http.StatusOK {
			return refusal(body, status)
		}
		return os.WriteFile(*file, body, 0o600)
	}
	body, status, err := control.Ask(context.Background(), *dir, http.MethodGet, "/traces/"+name)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return refusal(body, status)
	}
	var all []trace.Rung
	if err := json.Unmarshal(body, &all); err != nil {
		return fmt.Errorf("prontod's answer: %w", err)
	}
	fmt.Fprint(out, trace.Draw(all))
	if *whole {
		for _, r := range all {
			fmt.Fprintf(out, "\n%s  %s\n%s\n", r.At.Local().Format("15:04:05.000"), r.Peer, r.Text)
		}
	}
	return nil
}
