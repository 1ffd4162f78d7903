package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/pronto-pbx/pronto/board/disk"
	"github.com/pronto-pbx/pronto/images/card"
)

// reset marks a card for a factory reset. The box keeps its id and the code of its label.
func reset(ctx context.Context, args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("mkimage reset", flag.ContinueOnError)
	flags.SetOutput(errs)
	image := flags.String("image", "", "device of the box's card, or an image")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *image == "" {
		return errors.New("-image is needed")
	}
	work, err := os.MkdirTemp("", "reset-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	mark := filepath.Join(work, disk.ResetMark)
	if err := os.WriteFile(mark, nil, 0o600); err != nil {
		return err
	}
	if err := card.Put(ctx, *image, disk.ResetMark, mark); err != nil {
		return err
	}
	fmt.Fprintln(out, "the box forgets its owner, its office and its records at the next start")
	return nil
}
