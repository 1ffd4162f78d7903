package repository

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pronto-pbx/pronto/ota/release"
)

// Bundle writes a repository of one release of a channel as a zip file in which nothing is compressed: for a stick, or
// to be uploaded. It holds all metadata, the manifests of the channel, and of that release the parts named, with their
// deltas. It is signed as the whole is, so a box believes it like the server.
func (r *Repository) Bundle(w io.Writer, channel, version string, parts []string) error {
	c, err := r.current()
	if err != nil {
		return err
	}
	all, err := r.Releases(channel)
	if err != nil {
		return err
	}
	m, ok := all[version]
	if !ok {
		return fmt.Errorf("%s in %s: %w", version, channel, ErrNoRelease)
	}
	names := []string{
		"metadata/timestamp.json", fmt.Sprintf("metadata/%d.snapshot.json", c.snapshot.Signed.Version),
		fmt.Sprintf("metadata/%d.targets.json", c.targets.Signed.Version),
	}
	for v := int64(1); v <= c.root.Signed.Version; v++ {
		names = append(names, fmt.Sprintf("metadata/%d.root.json", v))
	}
	for _, name := range Channels() {
		names = append(names, fmt.Sprintf("metadata/%d.%s.json", c.channels[name].Signed.Version, name))
		for _, t := range c.channels[name].Signed.Targets {
			names = append(names, fileOf(t))
		}
	}
	for _, b := range blobs(m, parts) {
		names = append(names, "parts/"+b.SHA256)
	}
	slices.Sort(names)
	z := zip.NewWriter(w)
	for _, name := range slices.Compact(names) {
		if err := r.store(z, name); err != nil {
			return err
		}
	}
	return z.Close()
}

// blobs are the files of the named parts of a release; no names: of all.
func blobs(m release.Manifest, parts []string) (all []release.Blob) {
	wanted := func(name string) bool { return len(parts) == 0 || slices.Contains(parts, name) }
	for _, p := range m.Parts {
		if wanted(p.Name) {
			all = append(all, p.Packed)
		}
	}
	for _, d := range m.Deltas {
		if wanted(d.Part) {
			all = append(all, d.Blob)
		}
	}
	return all
}

func (r *Repository) store(z *zip.Writer, name string) error {
	f, err := os.Open(filepath.Join(r.dir, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	to, err := z.CreateHeader(&zip.FileHeader{Name: strings.TrimPrefix(name, "/"), Method: zip.Store})
	if err == nil {
		_, err = io.Copy(to, f)
	}
	return errors.Join(err, f.Close())
}
