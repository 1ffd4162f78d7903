package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/images/oci"
	"github.com/pronto-pbx/pronto/images/pins"
)

// container makes an image for containers, in one file for all architectures.
func container(ctx context.Context, args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("mkimage oci", flag.ContinueOnError)
	flags.SetOutput(errs)
	root := flags.String("root", ".", "where the source of Pronto lies")
	version := flags.String("version", "devel", "of the image, by which container engines know it")
	built := flags.Int64("time", 0, "when this version was made, in seconds since 1970")
	arch := flags.String("arch", "amd64,arm64", "architectures")
	to := flags.String("out", "bin/oci/pronto.tar", "the archive to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *built <= 0 {
		return errNoTime
	}
	start := time.Now()
	var all []oci.Platform
	for a := range strings.SplitSeq(*arch, ",") {
		p := oci.Platform{Arch: a}
		var err error
		if p.Programs, err = pins.Build(ctx, *root, a, oci.Programs()); err != nil {
			return err
		}
		if p.Documents, err = documents(ctx, *root, a, *version, p.Programs); err != nil {
			return err
		}
		all = append(all, p)
	}
	if err := os.MkdirAll(filepath.Dir(*to), 0o755); err != nil {
		return err
	}
	if err := oci.Write(*to, oci.Release{Version: *version, Built: time.Unix(*built, 0)}, all); err != nil {
		return err
	}
	info, err := os.Stat(*to)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s for %s, %.1f MB, made in %.1f s\n", *to, *arch, float64(info.Size())/1e6, time.Since(start).Seconds())
	return nil
}
