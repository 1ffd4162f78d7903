package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/images/debian"
	"github.com/pronto-pbx/pronto/images/imprint"
	"github.com/pronto-pbx/pronto/images/pins"
	"github.com/pronto-pbx/pronto/images/sbom"
)

// deb makes packages for Debian: pronto_VERSION_ARCH.deb for each architecture.
func deb(ctx context.Context, args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("mkimage deb", flag.ContinueOnError)
	flags.SetOutput(errs)
	root := flags.String("root", ".", "where the source of Pronto lies")
	version := flags.String("version", "devel", "of the package; what is no version of Debian's is made one")
	built := flags.Int64("time", 0, "when this version was made, in seconds since 1970")
	arch := flags.String("arch", "amd64,arm64", "architectures")
	maintainer := flags.String("maintainer", "The authors of Pronto <pronto-pbx@users.noreply.github.com>", "who answers for the package")
	var updates updateFlags
	updates.define(flags)
	to := flags.String("out", "bin/deb", "where to put them")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *built <= 0 {
		return errNoTime
	}
	if err := updates.check(); err != nil {
		return err
	}
	example, err := os.ReadFile(filepath.Join(*root, "cmd", "prontoctl", "office.yaml"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(*to, 0o755); err != nil {
		return err
	}
	made := time.Unix(*built, 0)
	says, err := json.Marshal(imprint.Imprint{Version: *version, Time: *built, Epoch: updates.epoch, Data: dataOfNow})
	if err != nil {
		return err
	}
	r := debian.Release{Version: debian.Version(*version, made), Release: *version, Built: made, Maintainer: *maintainer, Example: example}
	for a := range strings.SplitSeq(*arch, ",") {
		start := time.Now()
		r.Arch = a
		if r.Programs, err = pins.Build(ctx, *root, a, debian.Programs()); err != nil {
			return err
		}
		if r.Documents, err = documents(ctx, *root, a, r.Version, r.Programs); err != nil {
			return err
		}
		r.Documents[imprint.File] = says
		maps.Copy(r.Documents, updates.documents)
		path := filepath.Join(*to, "pronto_"+r.Version+"_"+a+".deb")
		if err := debian.Write(ctx, *root, path, r); err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s, %.1f MB, made in %.1f s\n", path, float64(info.Size())/1e6, time.Since(start).Seconds())
	}
	fmt.Fprintf(out, "  %s\n", updates.said())
	return nil
}

// documents are the bill of materials and the licences of programs that are shipped without a system.
func documents(ctx context.Context, root, arch, version string, programs map[string][]byte) (map[string][]byte, error) {
	own, err := ours(root, version)
	if err != nil {
		return nil, err
	}
	all, err := libraries(ctx, root, arch, programs)
	if err != nil {
		return nil, err
	}
	all = append([]sbom.Component{own}, all...)
	bill, err := sbom.Document("pronto", version, all)
	return map[string][]byte{"sbom.json": bill, "licences.txt": sbom.Licences(all)}, err
}
