package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/pronto-pbx/pronto/images/pins"
	"github.com/pronto-pbx/pronto/images/sbom"
)

// everywhere are the programs that any box may have, whatever it is made from.
var everywhere = []string{"otad", "prontoctl", "prontod", "prontoinit", "recordd"}

// licences writes what the page shows of the libraries in a box's programs: libraries.tsv, a line each with its
// name and licence, and texts.txt.
func licences(ctx context.Context, args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("mkimage licences", flag.ContinueOnError)
	flags.SetOutput(errs)
	root := flags.String("root", ".", "where the source of Pronto lies")
	to := flags.String("out", "ui/web/licences", "where to put them")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dirs := map[string][]string{}
	for _, arch := range []string{"amd64", "arm64", "arm"} {
		found, err := pins.Dirs(ctx, *root, arch, everywhere)
		if err != nil {
			return err
		}
		for path, at := range found {
			for _, dir := range at { // the first stays the module's root
				if !slices.Contains(dirs[path], dir) {
					dirs[path] = append(dirs[path], dir)
				}
			}
		}
	}
	goroot, err := pins.Root(ctx, *root)
	if err != nil {
		return err
	}
	all, err := sbom.Modules(dirs, goroot)
	if err != nil {
		return err
	}
	own, err := ours(*root, "")
	if err != nil {
		return err
	}
	var table bytes.Buffer
	for _, c := range all {
		fmt.Fprintf(&table, "%s\t%s\n", c.Name, c.Licence)
	}
	if err := os.MkdirAll(*to, 0o755); err != nil {
		return err
	}
	texts := sbom.Licences(append([]sbom.Component{own}, all...))
	for name, b := range map[string][]byte{"libraries.tsv": table.Bytes(), "texts.txt": texts} {
		if err := os.WriteFile(filepath.Join(*to, name), b, 0o644); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "%d libraries, %d kB of licences\n", len(all), len(texts)/1000)
	return nil
}
