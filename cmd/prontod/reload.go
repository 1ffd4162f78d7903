package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/pronto-pbx/pronto/firmware/appliance"
	"github.com/pronto-pbx/pronto/firmware/config/live"
)

// reloads reads the configuration again at each signal, and leaves the outcome in RUN/reload.txt, where
// `prontoctl reload` finds it: "ok" or "refused" in the first line, then what happened in words.
func reloads(ctx context.Context, hup <-chan os.Signal, opts appliance.Options) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
		}
		report, err := opts.Live.Reload(ctx)
		text := "ok\n" + report.String()
		if err != nil {
			opts.Log.Error("configuration was not reloaded", "err", err)
			text = "refused\n" + err.Error() + "\n"
			if _, tried := errors.AsType[*live.Failure](err); !tried { // else it says itself what is as before
				text += "The box goes on as before.\n"
			}
		} else {
			opts.Log.Info("configuration was reloaded", "version", report.Version, "outcome", report.String())
		}
		if err := leave(filepath.Join(opts.RunDir, "reload.txt"), text); err != nil {
			opts.Log.Warn("outcome of the reload cannot be left for prontoctl", "err", err)
		}
	}
}

// leave writes a file that is never seen half written.
func leave(path, text string) error {
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
