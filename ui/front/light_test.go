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

// asked is an answer as it is on the wire.
func asked(t *testing.T, url string, header ...string) (*http.Response, func() []byte) {
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
	return res, func() []byte {
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
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
		res, body := asked(t, url, "Accept-Encoding", "gzip, deflate, br, zstd")
		wire := body()
		if got := res.Header.Get("Content-Encoding") == "gzip"; got != packed {
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
		if res, body := asked(t, url); res.Header.Get("Content-Encoding") != "" || string(body()) != text {
			t.Errorf("%s: packed for who did not ask", kind)
		}
	}
	if res, body := asked(t, at+"/?type=audio/wav", "Accept-Encoding", "gzip", "Range", "bytes=3-6"); res.StatusCode != http.StatusPartialContent || string(body()) != text[3:7] {
		t.Errorf("a piece of a sound: %s", res.Status)
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
	res, _ := asked(t, at+"/live", "Accept-Encoding", "gzip")
	if res.Header.Get("Content-Encoding") != "" {
		t.Error("a stream is packed")
	}
	for i := range 3 {
		frame := make([]byte, len("data: 0\n\n"))
		if _, err := io.ReadFull(res.Body, frame); err != nil || string(frame) != fmt.Sprintf("data: %d\n\n", i) {
			t.Fatalf("%q, %v", frame, err)
		}
		seen <- struct{}{}
	}
}
