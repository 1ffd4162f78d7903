package oci

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var release = Release{Version: "1.2.3", Built: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}

func platform(arch string) Platform {
	return Platform{
		Arch:      arch,
		Programs:  map[string][]byte{"prontod": []byte(arch + " prontod"), "recordd": []byte("r"), "prontoctl": []byte("c")},
		Documents: map[string][]byte{"sbom.json": []byte("{}"), "licences.txt": []byte("words")},
	}
}

// entries reads a tar archive.
func entries(t *testing.T, b []byte) (names []string, content map[string][]byte, heads map[string]*tar.Header) {
	t.Helper()
	content, heads = map[string][]byte{}, map[string]*tar.Header{}
	for r := tar.NewReader(bytes.NewReader(b)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names, content, heads
		} else if err != nil {
			t.Fatal(err)
		}
		if content[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		names, heads[h.Name] = append(names, h.Name), h
	}
}

func write(t *testing.T, all ...Platform) []byte {
	t.Helper()
	at := filepath.Join(t.TempDir(), "pronto.tar")
	if err := Write(at, release, all); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// descriptor is what the image-spec says of a blob.
type descriptor struct {
	MediaType, Digest string
	Size              int
	Platform          struct{ OS, Architecture string }
	Annotations       map[string]string
}

func TestAnImageIsAnIndexOfImagesOfEachArchitecture(t *testing.T) {
	_, blobs, _ := entries(t, write(t, platform("amd64"), platform("arm64")))
	if got := string(blobs["oci-layout"]); !strings.Contains(got, `"imageLayoutVersion": "1.0.0"`) {
		t.Errorf("layout %s", got)
	}
	// blob follows a descriptor, and checks it.
	blob := func(d descriptor) []byte {
		t.Helper()
		kind, sum, _ := strings.Cut(d.Digest, ":")
		b := blobs["blobs/"+kind+"/"+sum]
		if got := sha256.Sum256(b); hex.EncodeToString(got[:]) != sum || len(b) != d.Size {
			t.Fatalf("%+v: %d bytes, of another sum", d, len(b))
		}
		return b
	}
	decode := func(b []byte, v any) {
		t.Helper()
		if err := json.Unmarshal(b, v); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
	}
	var top, index struct{ Manifests []descriptor }
	decode(blobs["index.json"], &top)
	if len(top.Manifests) != 1 || top.Manifests[0].Annotations["org.opencontainers.image.ref.name"] != "pronto:1.2.3" {
		t.Fatalf("%+v", top)
	}
	decode(blob(top.Manifests[0]), &index)
	if len(index.Manifests) != 2 {
		t.Fatalf("%+v", index)
	}
	for i, arch := range []string{"amd64", "arm64"} {
		d := index.Manifests[i]
		if d.Platform.OS != "linux" || d.Platform.Architecture != arch || d.MediaType != "application/vnd.oci.image.manifest.v1+json" {
			t.Errorf("%+v", d)
		}
		var manifest struct {
			Config descriptor
			Layers []descriptor
		}
		decode(blob(d), &manifest)
		var config struct {
			OS, Architecture string
			Created          time.Time
			Config           struct {
				User       string
				Entrypoint []string
				Volumes    map[string]any
				Labels     map[string]string
			}
			RootFS struct {
				DiffIDs []string `json:"diff_ids"`
			} `json:"rootfs"`
		}
		decode(blob(manifest.Config), &config)
		if c := config.Config; config.OS != "linux" || config.Architecture != arch || !config.Created.Equal(release.Built) || c.User != "10001:10001" || c.Volumes["/data"] == nil || c.Labels["org.opencontainers.image.version"] != "1.2.3" {
			t.Errorf("%+v", config)
		}
		if len(manifest.Layers) != 1 || manifest.Layers[0].MediaType != "application/vnd.oci.image.layer.v1.tar+gzip" {
			t.Fatalf("%+v", manifest.Layers)
		}
		unpacked, err := gzip.NewReader(bytes.NewReader(blob(manifest.Layers[0])))
		if err != nil {
			t.Fatal(err)
		}
		layer, err := io.ReadAll(unpacked)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("sha256:%x", sha256.Sum256(layer)); !slices.Equal(config.RootFS.DiffIDs, []string{got}) {
			t.Errorf("the layer is %s, the configuration says %q", got, config.RootFS.DiffIDs)
		}
		judgeLayer(t, layer, arch)
		if first := strings.TrimPrefix(config.Config.Entrypoint[0], "/"); !strings.Contains(string(layer), first) {
			t.Errorf("it starts with %s, which it has not", first)
		}
	}
}

func judgeLayer(t *testing.T, layer []byte, arch string) {
	t.Helper()
	names, content, heads := entries(t, layer)
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("entries in disorder: %q", names)
	}
	for _, h := range heads {
		if !h.ModTime.Equal(release.Built) || h.Uname != "" {
			t.Errorf("%s says more than it should: %+v", h.Name, h)
		}
	}
	if string(content["usr/lib/pronto/prontod"]) != arch+" prontod" || heads["usr/lib/pronto/prontod"].Mode != 0o755 {
		t.Errorf("prontod is %q, %+v", content["usr/lib/pronto/prontod"], heads["usr/lib/pronto/prontod"])
	}
	if h := heads["data/"]; h == nil || h.Uid != User || h.Mode != 0o700 {
		t.Errorf("the volume: %+v", h)
	}
	for _, name := range []string{"usr/", "usr/lib/", "usr/share/pronto/pronto.yaml", "usr/share/pronto/sbom.json", "usr/share/pronto/licences.txt", "etc/passwd"} {
		if heads[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestTheSameSourceGivesTheSameImage(t *testing.T) {
	if one := write(t, platform("amd64"), platform("arm64")); !bytes.Equal(one, write(t, platform("amd64"), platform("arm64"))) {
		t.Error("two images differ")
	}
}

func TestAnImageWithoutOneOfItsProgramsIsNotMade(t *testing.T) {
	p := platform("amd64")
	delete(p.Programs, "recordd")
	if err := Write(filepath.Join(t.TempDir(), "x"), release, []Platform{p}); err == nil || !strings.Contains(err.Error(), "recordd is missing") {
		t.Error(err)
	}
}
