package trust

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/repository"
)

// TestAttacks is what a server, or who stands before it, can do to a box that trusts the vendor's first root. In each
// row the box has release 1.1.0 offered before; then something is done, and 1.2.0 may be there.
func TestAttacks(t *testing.T) {
	for _, row := range []struct {
		name string
		do   func(*world)
		want error  // nil: a release is offered
		gets string // the release; empty with an error of nil: none newer than 1.1.0
	}{
		{name: "nothing is done", do: func(w *world) { w.Release("stable", "1.2.0", []byte("two")) }, gets: "1.2.0"},
		{name: "a tampered manifest", do: func(w *world) {
			w.Release("stable", "1.2.0", []byte("two"))
			for name, text := range w.everything() {
				if strings.HasSuffix(name, "1.2.0.release.json") {
					w.wire.forged[name] = bytes.Replace(text, []byte(`"epoch": 0`), []byte(`"epoch": 9`), 1)
				}
			}
		}, want: ErrUntrusted},
		{name: "an old timestamp replayed", do: func(w *world) {
			old := w.file("metadata/timestamp.json")
			w.Release("stable", "1.2.0", []byte("two"))
			w.gets("1.2.0")
			w.wire.forged["metadata/timestamp.json"] = old
		}, want: ErrOlder},
		{name: "the whole server as it was a week ago", do: func(w *world) {
			old := w.everything()
			w.Release("stable", "1.2.0", []byte("two"))
			w.gets("1.2.0")
			maps.Copy(w.wire.forged, old)
		}, want: ErrOlder},
		{name: "a server frozen for 15 days", do: func(w *world) { w.now = w.now.Add(15 * day) }, want: ErrExpired},
		{name: "both online keys stolen, and a channel forged with them", do: func(w *world) {
			name, v := w.newest("stable")
			w.online("stable", v+1, forge(w.t, w.file(name), func(s *metadata.TargetsType) { s.Version++ }, w.Keys[repository.Timestamp][0], w.Keys[repository.Snapshot][0]))
		}, want: ErrUntrusted},
		{name: "both online keys and one key of targets stolen, and other channel keys named", do: func(w *world) {
			name, v := w.newest("targets")
			w.online("targets", v+1, forge(w.t, w.file(name), func(s *metadata.TargetsType) {
				s.Version++
				s.Delegations.Roles[0].KeyIDs = s.Delegations.Roles[1].KeyIDs
			}, w.keys(repository.Targets, 1)...))
		}, want: ErrUntrusted},
		{name: "both online keys stolen, and a channel put back to what it was", do: func(w *world) {
			name, v := w.newest("stable")
			old := w.file(name)
			w.Release("stable", "1.2.0", []byte("two"))
			w.gets("1.2.0")
			w.online("stable", v, old)
		}, want: ErrUntrusted},
		{name: "a new timestamp with an older snapshot's name", do: func(w *world) {
			w.Release("stable", "1.2.0", []byte("two"))
			name, _ := w.newest("snapshot")
			w.wire.forged[name] = w.file("metadata/1.snapshot.json")
		}, want: ErrOlder},
		{name: "beta's metadata as that of stable", do: func(w *world) {
			w.Release("beta", "2.0.0", []byte("beta"))
			w.Release("stable", "1.2.0", []byte("two"))
			from, _ := w.newest("beta")
			to, _ := w.newest("stable")
			w.wire.forged[to] = w.file(from)
		}, want: ErrUntrusted},
		{name: "beta's key signs for a release of stable", do: func(w *world) {
			w.Release("beta", "2.0.0", []byte("beta"))
			name, v := w.newest("beta")
			w.online("beta", v+1, forge(w.t, w.file(name), func(s *metadata.TargetsType) {
				s.Version++
				for _, file := range s.Targets {
					s.Targets["stable/2.0.0.release.json"] = file
				}
			}, w.keys(repository.Beta, 1)...))
		}},
		{name: "a root with one signature of two", do: func(w *world) {
			w.wire.forged["metadata/2.root.json"] = forge(w.t, w.Root, func(r *metadata.RootType) { r.Version++ }, w.keys(repository.Root, 1)...)
		}, want: ErrUntrusted},
		{name: "a root with one signature twice", do: func(w *world) {
			one := w.keys(repository.Root, 1)[0]
			text := forge(w.t, w.Root, func(r *metadata.RootType) { r.Version++ }, one)
			m, err := metadata.Root().FromBytes(text)
			if err != nil {
				w.t.Fatal(err)
			}
			m.Signatures = append(m.Signatures, m.Signatures[0])
			if text, err = m.ToBytes(false); err != nil {
				w.t.Fatal(err)
			}
			w.wire.forged["metadata/2.root.json"] = text
		}, want: ErrUntrusted},
		{name: "a root that leaves out a version", do: func(w *world) {
			w.wire.forged["metadata/2.root.json"] = forge(w.t, w.Root, func(r *metadata.RootType) { r.Version = 3 }, w.keys(repository.Root, 2)...)
		}, want: ErrUntrusted},
		{name: "a root by which nobody has to sign (CVE-2026-23992)", do: func(w *world) {
			w.wire.forged["metadata/2.root.json"] = forge(w.t, w.Root, func(r *metadata.RootType) { r.Version++; r.Roles["timestamp"].Threshold = 0 }, w.keys(repository.Root, 2)...)
		}, want: ErrUntrusted},
		{name: "targets by which nobody has to sign for a channel (CVE-2026-23992)", do: func(w *world) {
			name, v := w.newest("targets")
			w.online("targets", v+1, forge(w.t, w.file(name), func(s *metadata.TargetsType) { s.Version++; s.Delegations.Roles[0].Threshold = -1 }, w.keys(repository.Targets, 2)...))
		}, want: ErrUntrusted},
		{name: "targets with a role whose name is a path", do: func(w *world) {
			name, v := w.newest("targets")
			w.online("targets", v+1, forge(w.t, w.file(name), func(s *metadata.TargetsType) { s.Version++; s.Delegations.Roles[0].Name = "../../etc/passwd" }, w.keys(repository.Targets, 2)...))
		}, want: ErrUntrusted},
		{name: "a properly signed root with another timestamp key", do: func(w *world) {
			w.rotates(repository.Timestamp)
			w.Release("stable", "1.2.0", []byte("two"))
		}, gets: "1.2.0"},
		{name: "a thief of the timestamp key has counted far ahead, and the vendor takes another", do: func(w *world) {
			w.wire.forged["metadata/timestamp.json"] = forge(w.t, w.file("metadata/timestamp.json"), func(s *metadata.TimestampType) { s.Version = 1 << 40 }, w.Keys[repository.Timestamp]...)
			w.gets("1.1.0")
			delete(w.wire.forged, "metadata/timestamp.json")
			if _, err := w.polls(); !errors.Is(err, ErrOlder) {
				w.t.Errorf("before the rotation: %v", err)
			}
			w.rotates(repository.Timestamp)
			w.Release("stable", "1.2.0", []byte("two"))
		}, gets: "1.2.0"},
		{name: "the clock is at 1970, as without a network", do: func(w *world) {
			w.Release("stable", "1.2.0", []byte("two"))
			w.now = time.Unix(0, 0)
		}, gets: "1.2.0"},
		{name: "everything has expired", do: func(w *world) { w.now = w.now.Add(3 * 365 * day) }, want: ErrExpired},
		{name: "a server that has lost a file", do: func(w *world) {
			w.Release("stable", "1.2.0", []byte("two"))
			name, _ := w.newest("snapshot")
			w.wire.forged[name] = nil
		}, want: ErrUnreachable},
		{name: "a login page instead of every file", do: func(w *world) {
			for name := range w.everything() {
				w.wire.forged[name] = []byte("<html>Welcome to the Wi-Fi</html>")
			}
		}, want: ErrUntrusted},
		{name: "a release that says it is another version", do: func(w *world) {
			w.Release("stable", "1.3.0", []byte("three"))
			name, v := w.newest("stable")
			w.online("stable", v+1, forge(w.t, w.file(name), func(s *metadata.TargetsType) {
				s.Version++
				three := s.Targets["stable/1.3.0.release.json"]
				s.Targets = map[string]*metadata.TargetFiles{"stable/1.2.0.release.json": three}
				sum := three.Hashes["sha256"].String()
				w.wire.forged["targets/stable/"+sum+".1.2.0.release.json"] = w.file("targets/stable/" + sum + ".1.3.0.release.json")
			}, w.keys(repository.Stable, 1)...))
		}, want: release.ErrManifest},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			w.Release("stable", "1.1.0", []byte("one"))
			w.gets("1.1.0")
			row.do(w)
			for _, life := range []string{"at once", "after a restart"} {
				m, err := w.polls()
				switch {
				case row.want != nil:
					if !errors.Is(err, row.want) {
						t.Errorf("%s: %q, %v; want %v", life, m.Version, err, row.want)
					}
				case row.gets == "" && (err != nil || m.Version != "1.1.0"), row.gets != "" && (err != nil || m.Version != row.gets):
					t.Errorf("%s: %q, %v; want %s", life, m.Version, err, row.gets)
				}
				w.restart()
			}
			w.afterwards(row.want == nil)
		})
	}
}

// afterwards lets the attack end: with the server and the clock as they should be the box has lost nothing.
func (w *world) afterwards(clean bool) {
	w.t.Helper()
	if clean {
		return
	}
	clear(w.wire.forged)
	w.now = begin.Add(day)
	// What a thief of the online keys has counted up is forgotten with the keys.
	w.rotates(repository.Snapshot)
	w.rotates(repository.Timestamp)
	w.Release("stable", "1.9.0", []byte("nine"))
	w.gets("1.9.0")
}

// rotates gives a role other keys.
func (w *world) rotates(role string) {
	w.t.Helper()
	fresh, err := repository.NewKeys()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.Rotate(role, w.Keys, fresh); err != nil {
		w.t.Fatal(err)
	}
	w.Keys[role] = fresh[role]
}

func TestABoxFromStockWalksFromTheFactorysRoot(t *testing.T) {
	w := newWorld(t)
	for _, role := range []string{repository.Timestamp, repository.Root, repository.Snapshot, repository.Targets, repository.Stable, repository.Root} {
		w.rotates(role)
	}
	w.Release("stable", "1.1.0", []byte("one"))
	w.gets("1.1.0")
	if seen := w.known.Seen(); seen.Root != 6 { // a channel's key is in targets
		t.Errorf("%+v", seen)
	}
	first := len(w.wire.requests)
	w.restart()
	w.gets("1.1.0")
	if len(w.wire.requests) >= first || w.wire.requests[0] != "metadata/7.root.json" {
		t.Errorf("after a restart it asks for %q", w.wire.requests)
	}
}

func TestMoreRootsThanAreKeptAreWalkedAllTheSame(t *testing.T) {
	w := newWorld(t)
	for range maxKept + 2 {
		w.rotates(repository.Root)
	}
	w.Release("stable", "1.1.0", []byte("one"))
	for _, first := range []string{"metadata/2.root.json", "metadata/26.root.json", "metadata/26.root.json"} {
		w.gets("1.1.0")
		if w.wire.requests[0] != first {
			t.Errorf("it asks for %q, want %s first", w.wire.requests, first)
		}
		w.restart()
	}
}

func TestWhoOnlyHasTheKeysOfBeforeARotationCannotGoOn(t *testing.T) {
	w := newWorld(t)
	old := maps.Clone(w.Keys)
	w.rotates(repository.Root)
	w.gets0(t)
	name, _ := w.newest("root")
	w.wire.forged["metadata/3.root.json"] = forge(t, w.file(name), func(r *metadata.RootType) { r.Version++ }, old[repository.Root]...)
	if _, err := w.polls(); !errors.Is(err, ErrUntrusted) {
		t.Errorf("%v", err)
	}
}

// gets0 wants that there is no release, and no error.
func (w *world) gets0(t *testing.T) {
	t.Helper()
	if m, err := w.polls(); !errors.Is(err, ErrNone) {
		t.Fatalf("offered %q, %v; want none", m.Version, err)
	}
}

func TestMalformedMetadataNeverEndsTheProgram(t *testing.T) {
	w := newWorld(t)
	w.Release("stable", "1.1.0", []byte("one"))
	panicked := 0
	for _, text := range []string{
		"", "null", "[]", "{}", `{"signed":null}`, `{"signed":{}}`, `{"signed":[]}`, `{"signed":{"_type":"root","version":2}}`, `{"signed":{"_type":7,"version":2}}`,
		`{"signatures":[],"signed":{"_type":"root","version":2,"roles":{"root":null}}}`,
		`{"signatures":[{}],"signed":{"_type":"targets","version":2,"targets":{"x":null}}}`,
		`{"signatures":[{}],"signed":{"_type":"targets","version":2,"targets":{"x":{}}}}`,
		`{"signatures":[{}],"signed":{"_type":"targets","version":2,"targets":{},"delegations":{"keys":{"x":null},"roles":[{"name":"x","keyids":["x"],"threshold":1}]}}}`,
		`{"signatures":[{}],"signed":{"_type":"timestamp","version":2,"meta":{"snapshot.json":null}}}`,
		`{"signatures":[{}],"signed":{"_type":"snapshot","version":2,"meta":null}}`,
		`{"signatures":[{"keyid":"x","sig":"zz"}],"signed":{"_type":"root","version":2}}`,
		strings.Repeat(`{"signed":`, 30), strings.Repeat("[", 15000),
	} {
		if err := guard(func() error { _, err := metadata.Targets().FromBytes([]byte(text)); return err }); errors.Is(err, errPanic) {
			panicked++
		}
		for name := range w.everything() {
			if strings.HasPrefix(name, "metadata/") {
				w.wire.forged = map[string][]byte{name: []byte(text), "metadata/2.root.json": nil}
				w.meets(name, text)
			}
		}
		w.wire.forged = map[string][]byte{"metadata/2.root.json": []byte(text)}
		w.meets("metadata/2.root.json", text)
	}
	if panicked == 0 {
		t.Error("nothing of this makes the library panic any more: find something that does, or the guard is not proved")
	}
	clear(w.wire.forged)
	w.gets("1.1.0")
}

// meets polls with a box that knows nothing, so that every file is fetched.
func (w *world) meets(name, text string) {
	w.t.Helper()
	w.dir = w.t.TempDir()
	w.restart()
	_, err := w.polls()
	asked := false
	for _, r := range w.wire.requests {
		asked = asked || r == name
	}
	if asked && !errors.Is(err, ErrUntrusted) && !errors.Is(err, ErrLimit) {
		w.t.Errorf("%s as %.60q: %v", name, text, err)
	}
}

// endless is data without end.
type endless struct{ read int64 }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.read += int64(len(p))
	return len(p), nil
}

func TestEndlessDataEndsAtALimitInEveryFile(t *testing.T) {
	w := newWorld(t)
	w.Release("stable", "1.1.0", []byte("one"))
	files := w.everything()
	files["metadata/2.root.json"] = nil
	tried := 0
	for name := range files {
		if strings.HasPrefix(name, "parts/") || name == "metadata/1.root.json" {
			continue
		}
		e := &endless{}
		m := overlaid{w.wire, name, e}
		w.dir = t.TempDir()
		w.restart()
		_, err := w.known.Online(m, "stable").Latest(t.Context(), w.now, w.box)
		if e.read == 0 {
			continue // of a version that is not in force
		}
		tried++
		if !errors.Is(err, ErrLimit) || e.read > 600<<10 {
			t.Errorf("%s: %v after %d bytes", name, err, e.read)
		}
	}
	if tried < 7 {
		t.Errorf("only %d files were asked for", tried)
	}
}

func TestAPartEndsWhereItShouldAndAWrongOneIsFound(t *testing.T) {
	w := newWorld(t)
	m := w.Release("stable", "1.1.0", bytes.Repeat([]byte("one"), 1000))
	w.Release("stable", "1.2.0", []byte("another"))
	part, other := m.Parts[0].Packed, w.Manifest("1.2.0", []byte("another")).Parts[0].Packed
	name := "parts/" + part.SHA256
	for what, c := range map[string]struct {
		mirror Mirror
		want   error
	}{
		"whole":         {w.wire, nil},
		"endless":       {overlaid{w.wire, name, &endless{}}, release.ErrBlob},
		"another part":  {overlaid{w.wire, name, bytes.NewReader(append(w.file("parts/"+other.SHA256), make([]byte, 100)...))}, release.ErrBlob},
		"cut off":       {overlaid{w.wire, name, bytes.NewReader(w.file(name)[:5])}, io.ErrUnexpectedEOF},
		"one bit wrong": {overlaid{w.wire, name, bytes.NewReader(append([]byte{1}, w.file(name)[1:]...))}, release.ErrBlob},
	} {
		body, err := w.known.Online(c.mirror, "stable").Open(t.Context(), part, 0)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, part.Verify(body))
		if !errors.Is(err, c.want) || n > part.Size {
			t.Errorf("%s: %v after %d of %d bytes", what, err, n, part.Size)
		}
		if err := body.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := w.known.Online(w.wire, "stable").Open(t.Context(), release.Blob{Size: 5, SHA256: strings.Repeat("0", 64)}, 0); !errors.Is(err, ErrUnreachable) {
		t.Errorf("a part that is not there: %v", err)
	}
}

func TestAQuietPollCostsTwoRequests(t *testing.T) {
	w := newWorld(t)
	w.Release("stable", "1.1.0", []byte("one"))
	w.gets("1.1.0")
	fmt.Printf("trust: first poll: %d requests, %d bytes\n", len(w.wire.requests), w.wire.bytes)
	w.gets("1.1.0")
	fmt.Printf("trust: nothing new: %d requests, %d bytes\n", len(w.wire.requests), w.wire.bytes)
	if len(w.wire.requests) != 2 {
		t.Errorf("it asks for %q", w.wire.requests)
	}
}
