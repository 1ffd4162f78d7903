package trust

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/pronto-pbx/pronto/ota/keep"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/repository"
)

func TestWhatIsKnownOutlivesAnyDamageOfItsFile(t *testing.T) {
	w := newWorld(t)
	w.rotates(repository.Root)
	w.Release("stable", "1.1.0", []byte("one"))
	w.gets("1.1.0")
	path := filepath.Join(w.dir, "known.json")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := 0; cut < len(whole); cut += 397 {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		w.restart()
		w.gets("1.1.0")
	}
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	if err := os.WriteFile(path, flipped, 0o600); err != nil {
		t.Fatal(err)
	}
	w.restart()
	w.gets("1.1.0")
}

func TestWhoCanWriteTheFileOfWhatIsKnownGainsNoTrust(t *testing.T) {
	w := newWorld(t)
	w.Release("stable", "1.1.0", []byte("one"))
	thief, err := repository.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	root := forge(t, w.Root, func(r *metadata.RootType) { r.Version++ }, thief[repository.Root]...)
	forged := state{Roots: [][]byte{root, []byte("{"), nil}, Roles: map[string][]byte{"timestamp": []byte("{"), "snapshot": nil, "targets": []byte(`{"signed":{"_type":"targets","targets":{"x":null}}}`), "../../x": []byte("x")}}
	if err := keep.Save(keep.Machine{}, filepath.Join(w.dir, "known.json"), stateVersion, forged); err != nil {
		t.Fatal(err)
	}
	w.restart()
	if seen := w.known.Seen(); seen.Root != 1 || seen.Timestamp != 0 {
		t.Errorf("%+v", seen)
	}
	if m, err := w.polls(); err != nil && !errors.Is(err, ErrUntrusted) {
		t.Errorf("%q, %v", m.Version, err)
	}
}

func TestATornManifestInTheCacheIsFetchedAgain(t *testing.T) {
	w := newWorld(t)
	w.Release("stable", "1.1.0", []byte("one"))
	w.gets("1.1.0")
	files, err := os.ReadDir(filepath.Join(w.dir, "manifests"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if err := os.Truncate(filepath.Join(w.dir, "manifests", files[0].Name()), 10); err != nil {
		t.Fatal(err)
	}
	w.gets("1.1.0")
	if len(w.wire.requests) != 3 {
		t.Errorf("%q", w.wire.requests)
	}
	w.box.Version = "1.1.0"
	w.gets0(t)
	if files, err := os.ReadDir(filepath.Join(w.dir, "manifests")); err != nil || len(files) != 0 {
		t.Errorf("in the cache are %v, %v", files, err)
	}
}

func TestAFullDiskIsAnErrorInWords(t *testing.T) {
	w := newWorld(t)
	w.Release("stable", "1.1.0", []byte("one"))
	if err := os.Mkdir(filepath.Join(w.dir, "known.json.part"), 0o700); err != nil { // as good as no space, for root too
		t.Fatal(err)
	}
	if m, err := w.polls(); err == nil {
		t.Errorf("offered %q although what it knows is not kept", m.Version)
	}
	if left, err := os.ReadDir(filepath.Join(w.dir, "scratch")); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

func TestARootThatIsNoneIsRefused(t *testing.T) {
	w := newWorld(t)
	for name, text := range map[string][]byte{
		"empty": nil, "a key removed": bytes.Replace(w.Root, []byte(`"threshold":2`), []byte(`"threshold":0`), 1),
		"changed": bytes.Replace(w.Root, []byte(`"version":1`), []byte(`"version":2`), 1), "targets": w.file("metadata/1.targets.json"),
	} {
		if _, err := Open(text, t.TempDir(), t.TempDir()); err == nil {
			t.Errorf("took a root that is %s", name)
		}
	}
}

func TestWhoseSignaturesAreMissingForTwoWeeksIsStale(t *testing.T) {
	w := newWorld(t)
	if s := w.known.Seen(); s.Stale(w.now.Add(1000 * day)) {
		t.Error("a box that has never asked is stale")
	}
	w.gets0(t)
	s := w.known.Seen()
	if s.Timestamp != 1 || !s.Expires.Equal(begin.Add(14*day)) {
		t.Errorf("%+v", s)
	}
	if s.Stale(begin.Add(28*day)) || !s.Stale(begin.Add(28*day+time.Second)) {
		t.Error("stale at the wrong time")
	}
}

func TestWhichReleaseABoxIsOffered(t *testing.T) {
	percent := func(p float64) func(*release.Manifest) { return func(m *release.Manifest) { m.Rollout.Percent = p } }
	from := func(v string) func(*release.Manifest) { return func(m *release.Manifest) { m.From = v } }
	for _, row := range []struct {
		name    string
		publish func(*world)
		channel string
		runs    string
		want    string // empty: none
		refused release.Code
	}{
		{name: "none where nothing was released", publish: func(*world) {}},
		{name: "the newest", publish: func(w *world) {
			for _, v := range []string{"1.9.0", "1.10.0", "1.2.0"} {
				w.Release("stable", v, []byte(v))
			}
		}, want: "1.10.0"},
		{name: "none that is not newer than what runs", publish: func(w *world) { w.Release("stable", "1.1.0", nil1) }, runs: "1.1.0"},
		{name: "none of beta", publish: func(w *world) { w.Release("beta", "2.0.0", nil1) }},
		{name: "that of beta, to who follows it", publish: func(w *world) { w.Release("beta", "2.0.0", nil1); w.Release("stable", "1.1.0", nil1) }, channel: "beta", want: "2.0.0"},
		{name: "that of stable, to who follows beta, when it is newer", publish: func(w *world) { w.Release("beta", "2.0.0-rc.1", nil1); w.Release("stable", "2.0.0", nil1) }, channel: "beta", want: "2.0.0"},
		{name: "that of security, to who follows stable", publish: func(w *world) { w.Release("security", "1.0.1", nil1); w.Release("beta", "2.0.0", nil1) }, want: "1.0.1"},
		{name: "none of stable, to who follows security alone", publish: func(w *world) { w.Release("stable", "1.1.0", nil1) }, channel: "security"},
		{name: "the step-stone first", publish: func(w *world) { w.Release("stable", "3.0.0", nil1, from("2.0.0")); w.Release("stable", "2.0.0", nil1) }, want: "2.0.0"},
		{name: "a refusal where there is no step-stone", publish: func(w *world) { w.Release("stable", "3.0.0", nil1, from("2.0.0")) }, refused: release.StepStone},
		{name: "a refusal of another model", publish: func(w *world) {
			w.Release("stable", "1.1.0", nil1, func(m *release.Manifest) { m.Models = []string{"pi5"} })
		}, refused: release.OtherModel},
		{name: "the older one, while the newest is at no percent", publish: func(w *world) { w.Release("stable", "1.2.0", nil1, percent(0)); w.Release("stable", "1.1.0", nil1) }, want: "1.1.0"},
		{name: "none that starts tomorrow", publish: func(w *world) {
			w.Release("stable", "1.2.0", nil1, func(m *release.Manifest) { m.NotUntil = begin.Add(day) })
		}},
		{name: "none that was withdrawn", publish: func(w *world) {
			w.Release("stable", "1.2.0", nil1)
			if err := w.Withdraw("stable", "1.2.0", w.Keys); err != nil {
				w.t.Fatal(err)
			}
		}},
		{name: "none that was stopped", publish: func(w *world) {
			w.Release("stable", "1.2.0", nil1)
			if err := w.Percent("stable", "1.2.0", 0, w.Keys); err != nil {
				w.t.Fatal(err)
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			row.publish(w)
			if row.runs != "" {
				w.box.Version = row.runs
			}
			m, err := w.known.Online(w.wire, row.channel).Latest(t.Context(), w.now, w.box)
			var refusal *release.Refusal
			switch {
			case row.want != "" && (err != nil || m.Version != row.want):
				t.Errorf("offered %q, %v; want %s", m.Version, err, row.want)
			case row.want == "" && !errors.Is(err, ErrNone):
				t.Errorf("offered %q, %v; want none", m.Version, err)
			case row.refused != "" && (!errors.As(err, &refusal) || refusal.Reasons[0].Code != row.refused):
				t.Errorf("%v, want a refusal for %s", err, row.refused)
			case row.refused == "" && errors.As(err, &refusal):
				t.Errorf("refused: %v", err)
			}
		})
	}
}

var nil1 = []byte("content")

// stick puts what the vendor publishes now onto one.
func (w *world) stick(version string) Files {
	w.t.Helper()
	var b bytes.Buffer
	if err := w.Bundle(&b, "stable", version, nil); err != nil {
		w.t.Fatal(err)
	}
	f, err := Bundle(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

func TestAStickServesABoxWithoutANetwork(t *testing.T) {
	w := newWorld(t)
	m := w.Release("stable", "1.1.0", bytes.Repeat([]byte("one"), 999), func(m *release.Manifest) { m.Rollout.Percent, m.NotUntil = 0.01, begin.Add(day) })
	stick := w.stick("1.1.0")
	s := w.known.Local(stick, "stable")
	got, err := s.Latest(t.Context(), w.now, w.box)
	if err != nil || got.Version != "1.1.0" {
		t.Fatalf("%q, %v", got.Version, err)
	}
	body, err := s.Open(t.Context(), m.Parts[0].Packed, 3)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(body)
	if err := errors.Join(err, body.Close()); err != nil || !bytes.Equal(text, w.file("parts/" + m.Parts[0].Packed.SHA256)[3:]) {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}

func TestWhatAStickMayHaveAndWhatNot(t *testing.T) {
	for _, row := range []struct {
		name string
		do   func(*world) Files
		want error
	}{
		{"a timestamp that expired on the way", func(w *world) Files {
			f := w.stick("1.1.0")
			w.now = w.now.Add(100 * day)
			return f
		}, nil},
		{"an expired timestamp that is older than what the box knows", func(w *world) Files {
			f := w.stick("1.1.0")
			w.Release("stable", "1.2.0", nil1)
			w.gets("1.2.0")
			w.now = w.now.Add(100 * day)
			return f
		}, ErrOlder},
		{"a fresh timestamp that is older than what the box knows", func(w *world) Files {
			f := w.stick("1.1.0")
			w.Release("stable", "1.2.0", nil1)
			w.gets("1.2.0")
			return f
		}, ErrOlder},
		{"the very timestamp that the box knows, expired", func(w *world) Files {
			w.gets("1.1.0")
			w.now = w.now.Add(100 * day)
			return w.stick("1.1.0")
		}, nil},
		{"an expired channel", func(w *world) Files {
			f := w.stick("1.1.0")
			w.now = w.now.Add(200 * day)
			return f
		}, ErrExpired},
		{"expired targets", func(w *world) Files {
			f := w.stick("1.1.0")
			w.now = w.now.Add(370 * day)
			return f
		}, ErrExpired},
		{"an expired root", func(w *world) Files {
			f := w.stick("1.1.0")
			w.now = w.now.Add(800 * day)
			return f
		}, ErrExpired},
		{"a release that the vendor has stopped", func(w *world) Files {
			if err := w.Percent("stable", "1.1.0", 0, w.Keys); err != nil {
				w.t.Fatal(err)
			}
			return w.stick("1.1.0")
		}, ErrNone},
		{"an expired timestamp that says that it ends in a hundred years", func(w *world) Files {
			dir := w.t.TempDir()
			for name, text := range w.everything() {
				if name == "metadata/timestamp.json" {
					text = forge(w.t, text, func(s *metadata.TimestampType) { s.Expires = begin.Add(36500 * day) })
				}
				if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
					w.t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
					w.t.Fatal(err)
				}
			}
			return Files{os.DirFS(dir)}
		}, ErrUntrusted},
		{"an empty folder", func(w *world) Files { return Files{os.DirFS(w.t.TempDir())} }, ErrUnreachable},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			w.Release("stable", "1.1.0", nil1)
			stick := row.do(w)
			m, err := w.known.Local(stick, "stable").Latest(t.Context(), w.now, w.box)
			if row.want == nil && (err != nil || m.Version != "1.1.0") || row.want != nil && !errors.Is(err, row.want) {
				t.Errorf("%q, %v; want %v", m.Version, err, row.want)
			}
			if row.want == nil {
				if _, err := w.known.Online(w.wire, "stable").Latest(context.Background(), w.now, w.box); errors.Is(err, ErrOlder) || errors.Is(err, ErrUntrusted) {
					t.Errorf("after the stick the server says %v", err)
				}
			}
		})
	}
}
