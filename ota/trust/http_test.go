package trust

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/ota/release"
)

// served hands a directory out, and returns the mirror of it.
func served(t *testing.T, h http.Handler) *Server {
	t.Helper()
	s := httptest.NewServer(h)
	m, err := NewServer(s.URL+"/pronto", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close(); s.Close() })
	return m
}

func TestAReleaseComesFromAnyWebServer(t *testing.T) {
	w := newWorld(t)
	m := w.Release("stable", "1.1.0", bytes.Repeat([]byte("one"), 5000))
	s := w.known.Online(served(t, http.StripPrefix("/pronto/", http.FileServer(http.Dir(w.Dir)))), "stable")
	got, err := s.Latest(t.Context(), w.now, w.box)
	if err != nil || got.Version != "1.1.0" {
		t.Fatalf("%q, %v", got.Version, err)
	}
	part := m.Parts[0].Packed
	want := w.file("parts/" + part.SHA256)
	for _, offset := range []int64{0, 1, part.Size - 1, part.Size} {
		body, err := s.Open(t.Context(), part, offset)
		if err != nil {
			if offset == part.Size && errors.Is(err, ErrUnreachable) {
				continue // nothing is left; a server has no such range
			}
			t.Fatal(err)
		}
		text, err := io.ReadAll(body)
		if err := errors.Join(err, body.Close()); err != nil || !bytes.Equal(text, want[offset:]) {
			t.Errorf("from %d on: %d bytes, %v", offset, len(text), err)
		}
	}
	if _, err := s.Open(t.Context(), part, part.Size+1); err == nil {
		t.Error("opened behind the end")
	}
}

func TestOddServers(t *testing.T) {
	part := release.Blob{Size: 10, SHA256: strings.Repeat("a", 64)}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   error
		text   string
	}{
		"knows no ranges": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "0123456789") }, nil, "456789"},
		"knows ranges": {func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader("0123456789"))
		}, nil, "456789"},
		"sends another range": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 0-9/10")
			w.WriteHeader(206)
			fmt.Fprint(w, "0123456789")
		}, ErrUnreachable, ""},
		"sends less":              {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "01234") }, io.ErrUnexpectedEOF, "4"},
		"sends less than offset":  {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "01") }, ErrUnreachable, ""},
		"sends more":              {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "0123456789abcdef") }, nil, "456789"},
		"is out of order":         {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, ErrUnreachable, ""},
		"has it not":              {http.NotFound, ErrUnreachable, ""},
		"sends a whole unasked":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, ErrUnreachable, ""},
		"sends us round in rings": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"x", http.StatusFound) }, ErrUnreachable, ""},
		"sends us on, once":       {func(w http.ResponseWriter, r *http.Request) { onward(w, r) }, nil, "456789"},
		"breaks off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			fmt.Fprint(w, "0123456")
			panic(http.ErrAbortHandler)
		}, ErrUnreachable, "456"},
		"sends heads without end": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) }, ErrUnreachable, ""},
		"speaks of compressed": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			fmt.Fprint(w, "0123456789")
		}, nil, "456789"},
		"sends a redirect nowhere": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "gopher://x/")
			w.WriteHeader(302)
		}, ErrUnreachable, ""},
	} {
		t.Run("one that "+name, func(t *testing.T) {
			s := (&Known{}).Online(served(t, c.answer), "stable")
			body, err := s.Open(t.Context(), part, 4)
			if body == nil {
				if !errors.Is(err, c.want) || c.want == nil {
					t.Errorf("%v, want %v", err, c.want)
				}
				return
			}
			text, err := io.ReadAll(body)
			if !errors.Is(err, c.want) || string(text) != c.text {
				t.Errorf("%q, %v; want %q, %v", text, err, c.text, c.want)
			}
			if err := body.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func onward(w http.ResponseWriter, r *http.Request) {
	if r.URL.RawQuery == "" {
		http.Redirect(w, r, r.URL.Path+"?x", http.StatusFound)
		return
	}
	fmt.Fprint(w, "0123456789")
}

// rule answers requests without a network.
type rule func(*http.Request) (*http.Response, error)

func (r rule) RoundTrip(q *http.Request) (*http.Response, error) { return r(q) }

func TestAPlaceWithTLSDoesNotSendUsToOneWithout(t *testing.T) {
	asked := ""
	m, err := NewServer("https://updates.example.org", rule(func(q *http.Request) (*http.Response, error) {
		asked += " " + q.URL.String()
		return &http.Response{StatusCode: 302, Header: http.Header{"Location": {"http://updates.example.org/x"}}, Body: io.NopCloser(strings.NewReader("")), Request: q}, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Open(t.Context(), "metadata/timestamp.json", 0); !errors.Is(err, ErrUnreachable) || strings.Contains(asked, "http://") {
		t.Errorf("%v, asked for%s", err, asked)
	}
}

func TestWhatIsNoAddressIsRefused(t *testing.T) {
	for _, s := range []string{"", "updates.example.org", "ftp://x/", "https://", "https://me:secret@x/", "https://x/?q", "https://x/#f", "file:///etc", "https://x:port/"} {
		if _, err := NewServer(s, nil); err == nil {
			t.Errorf("took %q", s)
		}
	}
}

// trickle is a body that comes one byte at a time.
type trickle struct {
	ctx   context.Context
	every time.Duration
	dead  bool
}

func (b *trickle) Read(p []byte) (int, error) {
	wait := time.After(b.every)
	if b.dead {
		wait = nil
	}
	select {
	case <-wait:
		return copy(p, " "), nil
	case <-b.ctx.Done():
		return 0, b.ctx.Err()
	}
}

func (b *trickle) Close() error { return nil }

// slow is a server of which every answer comes like that.
func slow(t *testing.T, every time.Duration, dead, mute bool) *Server {
	m, err := NewServer("https://updates.example.org", rule(func(q *http.Request) (*http.Response, error) {
		if mute {
			<-q.Context().Done()
			return nil, q.Context().Err()
		}
		return &http.Response{StatusCode: 200, Body: &trickle{q.Context(), every, dead}, Request: q}, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestASlowServerIsGivenUp(t *testing.T) {
	part := release.Blob{Size: 50 << 20, SHA256: strings.Repeat("a", 64)}
	for name, c := range map[string]struct {
		every      time.Duration
		dead, mute bool
		at         [2]time.Duration // when the part is given up
	}{
		"that never answers":          {mute: true, at: [2]time.Duration{stall, stall}},
		"that answers and is silent":  {dead: true, at: [2]time.Duration{stall, stall}},
		"with a byte now and then":    {every: 29 * time.Second, at: [2]time.Duration{window, window + 29*time.Second}},
		"with a few bytes per second": {every: 10 * time.Millisecond, at: [2]time.Duration{window, window + time.Second}},
	} {
		t.Run("one "+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				s := (&Known{}).Online(slow(t, c.every, c.dead, c.mute), "stable")
				body, err := s.Open(t.Context(), part, 0)
				if err == nil {
					_, err = io.Copy(io.Discard, body)
					if err := body.Close(); err != nil {
						t.Error(err)
					}
				}
				if took := time.Since(start); !errors.Is(err, ErrLimit) || took < c.at[0] || took > c.at[1] {
					t.Errorf("%v after %v", err, took)
				}
			})
		})
		t.Run("a poll of one "+name, func(t *testing.T) {
			w := newWorld(t)
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				_, err := w.known.Online(slow(t, c.every, c.dead, c.mute), "stable").Latest(t.Context(), begin, w.box)
				if took := time.Since(start); !errors.Is(err, ErrLimit) || took > pollLimit+stall {
					t.Errorf("%v after %v", err, took)
				}
			})
		})
	}
}

func TestASlowCardIsNotASlowServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := NewServer("https://x", rule(func(q *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(strings.Repeat("x", 100))), Request: q}, nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		body, err := (&Known{}).Online(m, "stable").Open(t.Context(), release.Blob{Size: 100, SHA256: strings.Repeat("a", 64)}, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		for range 100 {
			var b [1]byte
			if _, err := body.Read(b[:]); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Minute) // the card
		}
	})
}

func TestWhatIsKnownIsShownWhileAPollIsUnderWay(t *testing.T) {
	w := newWorld(t)
	w.Release("stable", "1.1.0", []byte("one"))
	w.gets("1.1.0")
	synctest.Test(t, func(t *testing.T) {
		over := make(chan error)
		go func() {
			_, err := w.known.Online(slow(t, 0, false, true), "stable").Latest(t.Context(), begin, w.box)
			over <- err
		}()
		synctest.Wait()
		if s := w.known.Seen(); s.Timestamp != 2 || s.Root != 1 {
			t.Errorf("%+v", s)
		}
		if err := <-over; !errors.Is(err, ErrLimit) {
			t.Error(err)
		}
	})
}

func TestAPollEndsWhenItsCallerDoes(t *testing.T) {
	w := newWorld(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := w.known.Online(slow(t, 0, false, true), "stable").Latest(ctx, begin, w.box)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestFilesSayWhatTheyHaveNot(t *testing.T) {
	if _, err := (Files{fs.FS(nothing{})}).Open(t.Context(), "metadata/timestamp.json", 0); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (Files{fs.FS(nothing{})}).Open(ctx, "x", 0); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

type nothing struct{}

func (nothing) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}
