// Package pins finds what an image takes from elsewhere: a kernel and a boot loader of pinned versions, whose
// sums the Go command checks, and our own programs, built for the box.
package pins

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// The modules of boot.mod.
const (
	KernelRPi = "github.com/gokrazy/kernel.rpi"
	Firmware  = "github.com/gokrazy/firmware"
	// KernelARM64 is of no image: tests start one with it, since the kernel of an image can be chosen.
	KernelARM64 = "github.com/gokrazy/kernel.arm64"
)

// Module is one that lies on this machine.
type Module struct {
	Path, Version string
	Sum           string // as in go.sum: "h1:" and SHA-256 of its files, in base 64
	Dir           string
}

// Download has the Go command fetch modules at the versions of the module file at, and check them against
// the sums that lie beside it. root is where the source of Pronto lies.
func Download(ctx context.Context, root, at string, paths ...string) (all []Module, err error) {
	out, err := goCommand(ctx, root, nil, append([]string{"mod", "download", "-modfile=" + at, "-json"}, paths...)...)
	if err != nil {
		return nil, err
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var m Module
		if err := dec.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go mod download: %w", err)
		}
		all = append(all, m)
	}
	if len(all) != len(paths) {
		return nil, fmt.Errorf("go mod download: %d modules for %q", len(all), paths)
	}
	return all, nil
}

// Build builds the commands of cmd/ for linux, the same bytes from the same source wherever it lies. arch is a
// GOARCH, tags are build tags.
func Build(ctx context.Context, root, arch string, names []string, tags ...string) (map[string][]byte, error) {
	to, err := os.MkdirTemp("", "programs-")
	if err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	defer os.RemoveAll(to)
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid=", "-tags", strings.Join(tags, ","), "-o", to + "/"}
	for _, name := range names {
		args = append(args, "./cmd/"+name)
	}
	if _, err := goCommand(ctx, root, []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + arch}, args...); err != nil {
		return nil, err
	}
	made := map[string][]byte{}
	for _, name := range names {
		if made[name], err = os.ReadFile(filepath.Join(to, name)); err != nil {
			return nil, fmt.Errorf("build: %w", err)
		}
	}
	return made, nil
}

// Dirs tells where the modules lie of which programs for linux are made, each with its root first and then the
// directories of the packages that the programs link: some have licences of their own. arch is a GOARCH.
func Dirs(ctx context.Context, root, arch string, names []string) (map[string][]string, error) {
	args := []string{"list", "-deps", "-f", `{{with .Module}}{{if not .Main}}{{.Path}}{{"\t"}}{{.Dir}}{{"\t"}}{{$.Dir}}{{end}}{{end}}`}
	for _, name := range names {
		args = append(args, "./cmd/"+name)
	}
	out, err := goCommand(ctx, root, []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + arch}, args...)
	if err != nil {
		return nil, err
	}
	dirs := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		module, places, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok {
			continue
		}
		top, own, _ := strings.Cut(places, "\t")
		if dirs[module] == nil {
			dirs[module] = []string{top}
		}
		// A licence may lie anywhere between a package and the root of its module.
		for at := own; at != top && len(at) > len(top) && !slices.Contains(dirs[module], at); at = filepath.Dir(at) {
			dirs[module] = append(dirs[module], at)
		}
	}
	return dirs, nil
}

// Root is where the Go that builds the programs lies.
func Root(ctx context.Context, root string) (string, error) {
	out, err := goCommand(ctx, root, nil, "env", "GOROOT")
	return strings.TrimSpace(string(out)), err
}

func goCommand(ctx context.Context, root string, env []string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	cmd.Env = append(append(os.Environ(), "GOFLAGS=", "GOWORK=off"), env...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w: %s", strings.Join(args[:2], " "), err, strings.TrimSpace(errs.String()))
	}
	return out, nil
}
