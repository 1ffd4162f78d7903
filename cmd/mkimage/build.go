package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/pronto-pbx/pronto/firmware/certificate/authorities"
	"github.com/pronto-pbx/pronto/images/card"
	"github.com/pronto-pbx/pronto/images/fat"
	"github.com/pronto-pbx/pronto/images/imprint"
	"github.com/pronto-pbx/pronto/images/pins"
	"github.com/pronto-pbx/pronto/images/recipe"
	"github.com/pronto-pbx/pronto/images/sbom"
)

// recipeFlags are what one image differs from another by.
type recipeFlags struct {
	root, kernel, version, out string
	built                      int64
	updates                    updateFlags
}

func (f *recipeFlags) define(flags *flag.FlagSet) {
	flags.StringVar(&f.root, "root", ".", "where the source of Pronto lies")
	flags.StringVar(&f.kernel, "kernel", "", "directory of a kernel: vmlinuz, device trees, overlays, lib/modules (default: the pinned one)")
	flags.StringVar(&f.version, "version", "devel", "of the image")
	flags.Int64Var(&f.built, "time", 0, "when this version was made, in seconds since 1970: no box believes in an earlier time")
	flags.StringVar(&f.out, "out", "bin/image", "where to put it")
	f.updates.define(flags)
}

func (f *recipeFlags) check() error {
	if f.built <= 0 {
		return errNoTime
	}
	return f.updates.check()
}

// pinned is the module file that names kernel and boot loader.
const pinned = "images/boot.mod"

var errNoTime = errors.New("-time is needed; `git log -1 --format=%ct` says it")

// build makes pronto.img, pronto.img.gz, sbom.json and licences.txt in a directory.
func build(ctx context.Context, args []string, out, errs io.Writer) error {
	var f recipeFlags
	flags := flag.NewFlagSet("mkimage build", flag.ContinueOnError)
	flags.SetOutput(errs)
	f.define(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	start := time.Now()
	made, err := ingredients(ctx, f)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(f.out, 0o755); err != nil {
		return err
	}
	image := filepath.Join(f.out, "pronto.img")
	if err := card.Write(ctx, image, recipe.Select(made.recovery), made.slot); err != nil {
		return err
	}
	size, err := card.Compress(image, image+".gz")
	if err != nil {
		return err
	}
	for name, b := range made.documents {
		if err := os.WriteFile(filepath.Join(f.out, name), b, 0o644); err != nil {
			return err
		}
	}
	report(out, made, image, size, time.Since(start))
	fmt.Fprintln(out, "  "+f.updates.said())
	return nil
}

// ingredientsOf an image, before it is put together.
type ingredientsOf struct {
	slot       []fat.File
	recovery   []fat.File        // of the first partition, beside the choice
	documents  map[string][]byte // imprint.File, sbom.json, licences.txt
	components []sbom.Component
	kernel     recipe.Kernel
	system     int // bytes of the initramfs, unpacked
}

func ingredients(ctx context.Context, f recipeFlags) (made ingredientsOf, err error) {
	modules, err := pins.Download(ctx, f.root, pinned, pins.KernelRPi, pins.Firmware)
	if err != nil {
		return made, err
	}
	if made.kernel, err = recipe.ReadKernel(cmp.Or(f.kernel, modules[0].Dir)); err != nil {
		return made, err
	}
	firmware, err := recipe.Firmware(modules[1].Dir)
	if err != nil {
		return made, err
	}
	programs, err := pins.Build(ctx, f.root, "arm64", recipe.Programs())
	if err != nil {
		return made, err
	}
	if made.components, err = components(ctx, f, modules, made.kernel, programs); err != nil {
		return made, err
	}
	release, err := json.Marshal(imprint.Imprint{Version: f.version, Time: f.built, Kernel: made.kernel.Version, Epoch: f.updates.epoch, Data: dataOfNow})
	if err != nil {
		return made, err
	}
	bill, err := sbom.Document("pronto", f.version, made.components)
	if err != nil {
		return made, err
	}
	made.documents = map[string][]byte{imprint.File: release, "sbom.json": bill, "licences.txt": sbom.Licences(made.components)}
	helper := programs
	if f.updates.documents != nil { // without a vendor there is nothing that could be installed
		if helper, err = pins.Build(ctx, f.root, "arm64", []string{"prontoinit"}, recipe.RecoveryTag); err != nil {
			return made, err
		}
	}
	return made, made.systems(ctx, firmware, programs, helper, f.updates.documents)
}

// systems makes what a slot holds, and the recovery system of the same kernel.
func (made *ingredientsOf) systems(ctx context.Context, firmware []fat.File, programs, helper, updates map[string][]byte) error {
	seed, err := card.Seed(ctx)
	if err != nil {
		return err
	}
	documents := maps.Clone(made.documents)
	maps.Copy(documents, updates)
	documents[recipe.Seed] = seed
	system, err := recipe.System(made.kernel, programs, documents)
	if err != nil {
		return err
	}
	made.system = len(system)
	if made.slot, err = recipe.Slot(made.kernel, firmware, system, made.documents); err != nil {
		return err
	}
	documents = maps.Clone(updates)
	if documents == nil {
		documents = map[string][]byte{}
	}
	documents[imprint.File], documents[recipe.Seed] = made.documents[imprint.File], seed
	small, err := recipe.Recovery(made.kernel, helper, documents)
	if err != nil {
		return err
	}
	made.recovery, err = recipe.Slot(made.kernel, firmware, small, map[string][]byte{imprint.File: made.documents[imprint.File]})
	return err
}

// report prints what whoever ships the image has to know.
func report(out io.Writer, made ingredientsOf, image string, packed int64, took time.Duration) {
	const mb = 1e6
	length := func(files []fat.File) (n int) {
		for _, f := range files {
			n += len(f.Data)
		}
		return n
	}
	fmt.Fprintf(out, "%s, made in %.1f s\n  compressed %.1f MB, of 80 at most\n  slot %.1f MB; recovery system %.1f MB; system in memory %.1f MB\n", image, took.Seconds(),
		float64(packed)/mb, float64(length(made.slot))/mb, float64(length(made.recovery))/mb, float64(made.system)/mb)
	byLicence := map[string]int{}
	for _, c := range made.components {
		byLicence[c.Licence]++
	}
	fmt.Fprintf(out, "  %d components, licences", len(made.components))
	for _, name := range sorted(byLicence) {
		fmt.Fprintf(out, "  %s (%d)", name, byLicence[name])
	}
	fmt.Fprintf(out, "\n  kernel %s", made.kernel.Version)
	if !made.kernel.Released.IsZero() {
		fmt.Fprintf(out, " of %s, %d days old", made.kernel.Released.Format(time.DateOnly), int(time.Since(made.kernel.Released).Hours()/24))
	}
	fmt.Fprintf(out, ", source %s\n", cmp.Or(made.kernel.Source, "not stated by its directory"))
	if n := len(made.kernel.Drivers); n > 0 {
		fmt.Fprintf(out, "  %d drivers of it are modules, and are loaded at each start\n", n)
	}
	for _, c := range made.components {
		if day, ok := authorities.ListedOn(c.Version); ok && c.Name == authorities.Module {
			fmt.Fprintf(out, "  certificate authorities of %s, %d days old; after %d days a box warns, and goes on believing them\n", day.Format(time.DateOnly), int(time.Since(day).Hours()/24), int(authorities.Old.Hours()/24))
		}
	}
	if byLicence["LGPL-3.0-only"] > 0 {
		fmt.Fprintln(out, "  LGPL-3.0: whoever passes the image on lets its users replace that library: the source of Pronto, and how to build the image, go with it")
	}
	fmt.Fprintln(out, "  known risks: security fixes of the pinned kernel come late, from one maintainer; it has no VLAN (802.1Q), traffic shaping, QMI modems and dm-verity; the boot loader's part (autoboot.txt) is proved on no real board yet")
}
