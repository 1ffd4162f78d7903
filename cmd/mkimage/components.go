package main

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/pronto-pbx/pronto/images/pins"
	"github.com/pronto-pbx/pronto/images/recipe"
	"github.com/pronto-pbx/pronto/images/sbom"
)

// ours is what we have made ourselves, whatever it is shipped in.
func ours(root, version string) (sbom.Component, error) {
	text, err := os.ReadFile(filepath.Join(root, "LICENSE"))
	return sbom.Component{
		Name: "pronto", Version: version, Kind: "application", Licence: "Apache-2.0", Text: string(text),
		Note: "Programs, page, prompts (made by espeak-ng from texts of the project) and music (composed by it).",
	}, err
}

// libraries are the works of others in programs, which are given by their name.
func libraries(ctx context.Context, root, arch string, programs map[string][]byte) ([]sbom.Component, error) {
	dirs, err := pins.Dirs(ctx, root, arch, slices.Sorted(maps.Keys(programs)))
	if err != nil {
		return nil, err
	}
	goroot, err := pins.Root(ctx, root)
	if err != nil {
		return nil, err
	}
	return sbom.Programs(programs, dirs, goroot)
}

// components lists what the image holds beside its programs' modules, and those.
func components(ctx context.Context, f recipeFlags, modules []pins.Module, k recipe.Kernel, programs map[string][]byte) ([]sbom.Component, error) {
	read := func(at string) (string, error) {
		b, err := os.ReadFile(at)
		return string(b), err
	}
	own, err := ours(f.root, f.version)
	if err != nil {
		return nil, err
	}
	gpl, err := read(filepath.Join(modules[0].Dir, "LICENSE.linux"))
	if err != nil {
		return nil, err
	}
	wrapper, err := read(filepath.Join(modules[0].Dir, "LICENSE"))
	if err != nil {
		return nil, err
	}
	broadcom, err := read(filepath.Join(modules[1].Dir, "LICENSE.broadcom"))
	if err != nil {
		return nil, err
	}
	linux := sbom.Component{
		Name: "linux", Version: k.Version, Kind: "operating-system", Licence: "GPL-2.0-only", Text: gpl, Source: k.Source,
		Note: "Whoever passes the image on owes the exact source of this kernel (GPL-2.0 section 3).",
	}
	if k.Source == "" {
		linux.Note += " Its directory does not say where that lies."
	}
	all := []sbom.Component{own, linux}
	if f.kernel == "" {
		all = append(all, module(modules[0], "BSD-3-Clause", wrapper, "Build of the kernel: configuration, patches, device trees and overlays."))
	}
	all = append(all, module(modules[1], "LicenseRef-Broadcom-RaspberryPi", broadcom, "Boot loader. For use with Raspberry Pi devices only."))
	more, err := libraries(ctx, f.root, "arm64", programs)
	return append(all, more...), err
}

func module(m pins.Module, licence, text, note string) sbom.Component {
	return sbom.Component{Name: m.Path, Version: m.Version, Kind: "firmware", Licence: licence, Text: text, PURL: "pkg:golang/" + m.Path + "@" + m.Version, Sum: m.Sum, Note: note}
}
