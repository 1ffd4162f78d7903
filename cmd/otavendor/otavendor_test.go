package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/images/card"
	"github.com/pronto-pbx/pronto/images/cpio"
	"github.com/pronto-pbx/pronto/images/fat"
	"github.com/pronto-pbx/pronto/images/recipe"
	"github.com/pronto-pbx/pronto/ota/delta"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/repository"
	"github.com/pronto-pbx/pronto/ota/trust"
)

// desk is where a vendor works.
type desk struct {
	t   *testing.T
	dir string
	out bytes.Buffer
}

func newDesk(t *testing.T) *desk {
	d := &desk{t: t, dir: t.TempDir()}
	d.write("phrase", "correct horse\n")
	return d
}

func (d *desk) write(name, text string) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// says runs a command. What is a file is taken from the desk.
func (d *desk) says(line string, files ...string) error {
	d.out.Reset()
	v := vendor{out: &d.out, errs: io.Discard, ask: func(string) (string, error) { return "", errors.New("nobody is there") }, work: 4}
	args := strings.Fields(line)
	if len(args) > 0 {
		args = append(args, "-repo", d.at("repository"), "-keys", d.at("keys"), "-pass", d.at("phrase"))
	}
	for i := 0; i+1 < len(files); i += 2 {
		args = append(args, files[i], d.at(files[i+1]))
	}
	return v.run(d.t.Context(), args)
}

func (d *desk) at(name string) string { return filepath.Join(d.dir, name) }

func (d *desk) must(line string, files ...string) {
	d.t.Helper()
	if err := d.says(line, files...); err != nil {
		d.t.Fatalf("%s: %v\n%s", line, err, d.out.String())
	}
}

// slot makes the content of one.
func (d *desk) slot(name, program string) {
	d.t.Helper()
	var unpacked bytes.Buffer
	if err := cpio.Write(&unpacked, []cpio.Entry{{Name: "bin/prontod", Data: []byte(strings.Repeat(program, 5000))}}); err != nil {
		d.t.Fatal(err)
	}
	packed, err := recipe.Pack(unpacked.Bytes())
	if err != nil {
		d.t.Fatal(err)
	}
	if _, err := card.WriteSlot(d.t.Context(), d.at(name), []fat.File{{Name: delta.System, Data: packed}}); err != nil {
		d.t.Fatal(err)
	}
}

// box is one that has the first root of the repository.
func (d *desk) box(version string) (release.Manifest, *trust.Source, error) {
	d.t.Helper()
	root, err := os.ReadFile(d.at("repository/metadata/1.root.json"))
	if err != nil {
		d.t.Fatal(err)
	}
	if err := repository.Known(root); err != nil {
		d.t.Errorf("no image could be built with it: %v", err)
	}
	k, err := trust.Open(root, d.t.TempDir(), d.t.TempDir())
	if err != nil {
		d.t.Fatal(err)
	}
	s := k.Online(trust.Files{FS: os.DirFS(d.at("repository"))}, "stable")
	m, err := s.Latest(d.t.Context(), time.Now(), release.Box{ID: "x", Model: "pi4", Version: version, Data: 1})
	return m, s, err
}

const manifest = `{"version":"1.1.0","models":["pi4"],"data_schema":{"writes":1,"reads_from":1},"severity":"bugfix","notes":{"en":"Corrections."},"rollout":{"salt":"1.1.0","percent":100}}`

func TestAVendorsYear(t *testing.T) {
	d := newDesk(t)
	d.must("init")
	d.write("1.1.0.json", manifest)
	d.slot("old.img", "a program of one release, ")
	d.slot("new.img", "a program of the next one, ")
	d.write("p.deb", "a package")
	d.must("publish -channel stable", "-manifest", "1.1.0.json", "-slot", "new.img", "-from", "old.img", "-deb-amd64", "p.deb")
	m, s, err := d.box("1.0.0")
	if err != nil || m.Version != "1.1.0" || len(m.Parts) != 2 || len(m.Deltas) != 1 {
		t.Fatalf("%+v, %v", m, err)
	}
	d.rebuilds(m, s)
	d.must("due")
	d.must("refresh -roles targets,stable")
	for _, role := range []string{"root", "targets", "stable", "snapshot", "timestamp"} {
		d.must("rotate -role " + role)
	}
	d.must("rotate -role root -same")
	d.must("percent -channel stable -version 1.1.0 -percent 0")
	if _, _, err := d.box("1.0.0"); !errors.Is(err, release.ErrNone) {
		t.Errorf("stopped: %v", err)
	}
	d.must("percent -channel stable -version 1.1.0 -percent 100")
	if m, _, err := d.box("1.0.0"); err != nil || m.Version != "1.1.0" {
		t.Errorf("%q, %v", m.Version, err)
	}
	d.must("bundle -channel stable -version 1.1.0 -part slot", "-out", "x.zip")
	b, err := os.ReadFile(d.at("x.zip"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trust.Bundle(bytes.NewReader(b), int64(len(b))); err != nil {
		t.Error(err)
	}
	d.must("withdraw -channel stable -version 1.1.0")
	if _, _, err := d.box("1.0.0"); !errors.Is(err, release.ErrNone) {
		t.Errorf("withdrawn: %v", err)
	}
}

// rebuilds has a box that runs the old slot make the new one.
func (d *desk) rebuilds(m release.Manifest, s *trust.Source) {
	d.t.Helper()
	old, err := os.ReadFile(d.at("old.img"))
	if err != nil {
		d.t.Fatal(err)
	}
	way, ok := m.Delta(release.Box{Model: "pi4"}, sum(old))
	if !ok {
		d.t.Fatal("no delta from the old slot")
	}
	body, err := s.Open(d.t.Context(), way.Blob, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	defer body.Close()
	var out bytes.Buffer
	if err := delta.Apply(context.Background(), &out, bytes.NewReader(old), way.Verify(body)); err != nil || sum(out.Bytes()) != m.Parts[0].SHA256 {
		d.t.Errorf("the delta leads to %d bytes, %v", out.Len(), err)
	}
}

func TestWhatAVendorIsRefused(t *testing.T) {
	d := newDesk(t)
	d.must("init")
	d.write("good.json", manifest)
	d.write("parts.json", strings.Replace(manifest, `{"version"`, `{"parts":[{"name":"slot"}],"version"`, 1))
	d.write("slip.json", strings.Replace(manifest, `"severity"`, `"severe"`, 1))
	d.write("p.deb", "a package")
	d.write("empty", "\n")
	for _, c := range []struct {
		line  string
		files []string
	}{
		{"init", nil},
		{"publish", nil},
		{"publish -channel stable", []string{"-manifest", "good.json"}}, // without any part
		{"publish -channel beta", []string{"-manifest", "good.json", "-deb-amd64", "p.deb", "-from", "p.deb"}},
		{"publish -channel nightly", []string{"-manifest", "good.json", "-deb-amd64", "p.deb"}},
		{"publish", []string{"-manifest", "parts.json", "-deb-amd64", "p.deb"}},
		{"percent -channel stable -version 9.9.9 -percent 1", nil},
		{"withdraw -channel stable -version 9.9.9", nil},
		{"bundle -channel stable -version 9.9.9", []string{"-out", "x.zip"}},
		{"bundle", nil},
		{"refresh -roles root", nil},
		{"rotate -role nobody", nil},
		{"rotate -role targets -same", nil},
		{"due now", nil},
	} {
		if err := d.says(c.line, c.files...); err == nil {
			t.Errorf("%s %v: not refused", c.line, c.files)
		}
	}
	if err := d.says("publish", "-manifest", "slip.json", "-deb-amd64", "p.deb"); err == nil || !strings.Contains(err.Error(), "severe") {
		t.Errorf("a slip of the pen: %v", err)
	}
	for _, line := range []string{"", "dance"} {
		if err := d.says(line); !errors.Is(err, flag.ErrHelp) {
			t.Errorf("%q: %v", line, err)
		}
	}
	for phrase, words := range map[string]string{"wrong\n": "incorrect", "\n": "empty"} {
		d.write("phrase", phrase)
		if err := d.says("refresh"); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("with the pass phrase %q: %v", phrase, err)
		}
	}
}

func TestARotationThatFailsLeavesTheKeysAsTheyWere(t *testing.T) {
	d := newDesk(t)
	d.must("init")
	for _, name := range []string{"keys/root-1.key", "keys/root-2.key"} {
		if err := os.Rename(d.at(name), d.at(name+".away")); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.says("rotate -role timestamp"); !errors.Is(err, repository.ErrKeys) {
		t.Fatalf("with one key of root: %v", err)
	}
	d.must("refresh")
	if err := os.Rename(d.at("keys/root-1.key.away"), d.at("keys/root-1.key")); err != nil {
		t.Fatal(err)
	}
	d.must("rotate -role timestamp")
	d.must("refresh")
}
