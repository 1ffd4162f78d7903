package front

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// serving answers on a port of this machine until the test ends.
func serving(t *testing.T, h http.Handler) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, h, nil) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

// answer is one as it is on the wire.
type answer struct {
	status int
	header http.Header
	body   io.Reader
}

// whole reads an answer to its end.
func (a answer) whole(t *testing.T) []byte {
	t.Helper()
	body, err := io.ReadAll(a.body)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func asked(t *testing.T, url string, header ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	res, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return answer{res.StatusCode, res.Header, res.Body}
}

func TestTextIsPackedForBrowsersThatUnpackIt(t *testing.T) {
	text := strings.Repeat("<p>Vendite: 3 in attesa</p>\n", 400)
	at := serving(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.URL.Query().Get("type"))
		if strings.HasPrefix(r.URL.Query().Get("type"), "audio/") {
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(text))
			return
		}
		_, _ = io.WriteString(w, text)
	}))
	for kind, packed := range map[string]bool{
		"text/html; charset=utf-8": true, "text/css; charset=utf-8": true, "text/javascript; charset=utf-8": true, "image/svg+xml": true,
		"audio/wav": false, "application/pdf": false, "image/png": false, "application/octet-stream": false,
	} {
		url := at + "/?type=" + strings.NewReplacer(" ", "%20", ";", "%3B", "+", "%2B").Replace(kind)
		a := asked(t, url, "Accept-Encoding", "gzip, deflate, br, zstd")
		wire := a.whole(t)
		if got := a.header.Get("Content-Encoding") == "gzip"; got != packed {
			t.Errorf("%s: packed %v, want %v", kind, got, packed)
		}
		if packed {
			z, err := gzip.NewReader(bytes.NewReader(wire))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(z); err != nil || string(got) != text || len(wire) > len(text)/10 {
				t.Errorf("%s: %d bytes on the wire for %d, %v", kind, len(wire), len(got), err)
			}
		}
		if a := asked(t, url); a.header.Get("Content-Encoding") != "" || string(a.whole(t)) != text {
			t.Errorf("%s: packed for who did not ask", kind)
		}
	}
	if a := asked(t, at+"/?type=audio/wav", "Accept-Encoding", "gzip", "Range", "bytes=3-6"); a.status != http.StatusPartialContent || string(a.whole(t)) != text[3:7] {
		t.Errorf("a piece of a sound: %d", a.status)
	}
}

func TestAStreamIsNeitherPackedNorKeptBack(t *testing.T) {
	seen := make(chan struct{})
	at := serving(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		out := http.NewResponseController(w)
		for i := range 3 {
			if err := out.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Error(err)
			}
			_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
			if err := out.Flush(); err != nil {
				t.Error(err)
			}
			select { // nothing more is said until this was read
			case <-seen:
			case <-r.Context().Done():
			}
		}
	}))
	a := asked(t, at+"/live", "Accept-Encoding", "gzip")
	if a.header.Get("Content-Encoding") != "" {
		t.Error("a stream is packed")
	}
	for i := range 3 {
		frame := make([]byte, len("data: 0\n\n"))
		if _, err := io.ReadFull(a.body, frame); err != nil || string(frame) != fmt.Sprintf("data: %d\n\n", i) {
			t.Fatalf("%q, %v", frame, err)
		}
		seen <- struct{}{}
	}
}
