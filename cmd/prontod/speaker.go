package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"

	"github.com/pronto-pbx/pronto/firmware/speaker"
)

// startSpeaker starts the process that says what the owner writes, where there is a synthesiser. hush ends it.
func startSpeaker(log *slog.Logger) (speak func(ctx context.Context, lang, text string) ([]byte, error), hush func()) {
	nothing := func() {}
	program, err := exec.LookPath("espeak-ng")
	if err != nil {
		return nil, nothing // the page offers none
	}
	self, err := os.Executable()
	if err != nil {
		log.Warn("no synthesiser", "err", err)
		return nil, nothing
	}
	s, err := speaker.Start(self, "-speaker", program)
	if errors.Is(err, fs.ErrPermission) {
		return nil, nothing // in the cell of a box nothing is started
	}
	if err != nil {
		log.Warn("no synthesiser", "err", err)
		return nil, nothing
	}
	return s.Speak, func() { _ = s.Close() }
}

// speak is that process.
func speak(program string, out io.Writer) int {
	if err := speaker.Serve(os.NewFile(3, "exchange"), program); err != nil {
		fmt.Fprintln(out, "prontod -speaker:", err)
		return 1
	}
	return 0
}
