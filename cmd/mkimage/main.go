// Command mkimage makes the image of a box: a file that is written to a card and starts. It needs neither
// root nor a loop device.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = `mkimage build [flags]        makes an image, its bill of materials and the texts of its licences
mkimage release [flags]      makes what a release has for the slots of boxes, to be signed and published by otavendor
mkimage deb [flags]          makes packages for Debian
mkimage oci [flags]          makes an image for containers
mkimage licences [flags]     writes the licences of all libraries, for the page
mkimage personalise [flags]  gives an image, or a card, its own id and claim code, and draws the label
mkimage reset [flags]        has a box forget its owner at its next start: for who holds its card
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "mkimage:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, errs io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "build":
			return build(ctx, args[1:], out, errs)
		case "release":
			return release(ctx, args[1:], out, errs)
		case "deb":
			return deb(ctx, args[1:], out, errs)
		case "oci":
			return container(ctx, args[1:], out, errs)
		case "licences":
			return licences(ctx, args[1:], out, errs)
		case "personalise":
			return personalise(ctx, args[1:], out, errs)
		case "reset":
			return reset(ctx, args[1:], out, errs)
		}
	}
	fmt.Fprint(errs, usage)
	return flag.ErrHelp
}
