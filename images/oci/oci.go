// Package oci makes an image for containers (OCI image-spec 1.1) of Pronto's programs, for several architectures,
// as one archive and without a daemon.
package oci

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// office is the configuration that a volume without one begins with.
//
//go:embed files/pronto.yaml
var office []byte

// Programs lists the commands that the image holds. prontoctl keeps the other two running.
func Programs() []string { return []string{"prontoctl", "prontod", "recordd"} }

// User is who the programs run as: nobody of the machine around them.
const User = 10001

// Data is the volume with the state.
const Data = "/data"

// Release is what one image differs from another by.
type Release struct {
	Version string
	Built   time.Time
}

// Platform is the programs for one architecture, a GOARCH.
type Platform struct {
	Arch      string
	Programs  map[string][]byte
	Documents map[string][]byte // under /usr/share/pronto: bill of materials, licences
}

// Write makes an archive of an OCI layout at path, which container engines load.
func Write(path string, r Release, all []Platform) error {
	var index v1.ImageIndex = mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range all {
		image, err := r.image(p)
		if err != nil {
			return fmt.Errorf("oci: %s: %w", p.Arch, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: "linux", Architecture: p.Arch},
		}})
	}
	dir, err := os.MkdirTemp("", "oci-")
	if err != nil {
		return fmt.Errorf("oci: %w", err)
	}
	defer os.RemoveAll(dir)
	top, err := layout.Write(dir, empty.Index)
	if err == nil {
		// Engines name what they load by this.
		err = top.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "pronto:" + r.Version}))
	}
	if err == nil {
		err = archive(path, dir, r.Built)
	}
	if err != nil {
		return fmt.Errorf("oci: %w", err)
	}
	return nil
}

// image is that of one architecture: a layer, and how it is to be run.
func (r Release) image(p Platform) (v1.Image, error) {
	content, err := r.files(p)
	if err != nil {
		return nil, err
	}
	packed, err := pack(content) // here, and once: the library would do it anew for each question
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed)), nil }, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{Created: v1.Time{Time: r.Built.UTC()}, CreatedBy: "mkimage oci"}})
	if err != nil {
		return nil, err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Created = "linux", p.Arch, v1.Time{Time: r.Built.UTC()}
	file.Config = r.config()
	return mutate.ConfigFile(image, file)
}

func pack(b []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(b)
	}
	if err == nil {
		err = w.Close()
	}
	return out.Bytes(), err
}

func (r Release) config() v1.Config {
	return v1.Config{
		User: fmt.Sprintf("%d:%d", User, User), WorkingDir: Data,
		Entrypoint: []string{"/usr/lib/pronto/prontoctl"}, Cmd: []string{"serve", "-first", "/usr/share/pronto/pronto.yaml", "-licences", "/usr/share/pronto/licences.txt"},
		Env:     []string{"PATH=/usr/lib/pronto", "PRONTO_VAR=" + Data, "TMPDIR=" + Data + "/tmp"},
		Volumes: map[string]struct{}{Data: {}},
		// Audio has some 8,000 ports more: the host's network is the way to run it.
		ExposedPorts: map[string]struct{}{"5060/udp": {}, "5060/tcp": {}, "8080/tcp": {}, "8443/tcp": {}},
		StopSignal:   "SIGTERM",
		Healthcheck: &v1.HealthConfig{
			Test: []string{"CMD", "/usr/lib/pronto/prontoctl", "status"}, Interval: 30 * time.Second, Timeout: 10 * time.Second, StartPeriod: time.Minute, Retries: 3,
		},
		Labels: map[string]string{
			"org.opencontainers.image.title": "pronto", "org.opencontainers.image.version": r.Version, "org.opencontainers.image.licenses": "Apache-2.0",
			"org.opencontainers.image.created":     r.Built.UTC().Format(time.RFC3339),
			"org.opencontainers.image.description": "Telephone exchange with call queues. Its bill of materials is /usr/share/pronto/sbom.json.",
			"org.opencontainers.image.source":      "https://github.com/pronto-pbx/pronto",
		},
	}
}

// files are the only layer, uncompressed.
func (r Release) files(p Platform) ([]byte, error) {
	type entry struct {
		mode  int64
		owner int
		b     []byte
	}
	all := map[string]entry{
		"etc/passwd": {0o644, 0, fmt.Appendf(nil, "root:x:0:0:root:/:/\npronto:x:%d:%d:Pronto:%s:/\n", User, User, Data)},
		"etc/group":  {0o644, 0, fmt.Appendf(nil, "root:x:0:\npronto:x:%d:\n", User)},
		"data/":      {0o700, User, nil},
		"data/tmp/":  {0o700, User, nil},
	}
	for _, name := range Programs() {
		b, ok := p.Programs[name]
		if !ok {
			return nil, fmt.Errorf("program %s is missing", name)
		}
		all["usr/lib/pronto/"+name] = entry{0o755, 0, b}
	}
	all["usr/share/pronto/pronto.yaml"] = entry{0o644, 0, office}
	for name, b := range p.Documents {
		all["usr/share/pronto/"+name] = entry{0o644, 0, b}
	}
	for _, name := range slices.Collect(maps.Keys(all)) { // and the directories above them
		for dir := path.Dir(strings.TrimSuffix(name, "/")); dir != "."; dir = path.Dir(dir) {
			if _, ok := all[dir+"/"]; !ok {
				all[dir+"/"] = entry{0o755, 0, nil}
			}
		}
	}
	names := slices.Sorted(maps.Keys(all))
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, name := range names {
		e := all[name]
		h := &tar.Header{Name: name, Mode: e.mode, Uid: e.owner, Gid: e.owner, Size: int64(len(e.b)), ModTime: r.Built.UTC(), Typeflag: tar.TypeReg, Format: tar.FormatPAX}
		if strings.HasSuffix(name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.b); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), w.Close()
}

// archive packs a directory, the same bytes each time.
func archive(to, dir string, built time.Time) (err error) {
	var names []string
	err = filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, at)
		}
		return err
	})
	if err != nil {
		return err
	}
	slices.Sort(names)
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := tar.NewWriter(f)
	for _, at := range names {
		b, err := os.ReadFile(at)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, at)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: filepath.ToSlash(name), Mode: 0o644, Size: int64(len(b)), ModTime: built.UTC(), Typeflag: tar.TypeReg, Format: tar.FormatPAX}); err != nil {
			return err
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return w.Close()
}
