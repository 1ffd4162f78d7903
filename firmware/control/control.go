// Package control reaches a running prontod on its unix socket, which only the owner of its state can
// open: for prontoctl, and for tests that look at the box from beside it.
package control

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Path is the socket's path in the directory of the state. A unix socket's path has at most 107 bytes.
func Path(dir string) string { return filepath.Join(dir, "run", "control.sock") }

const (
	limit = 5 * time.Second // for the whole answer
	most  = 32 << 20        // bytes of an answer
)

// Ask puts one question to prontod. The error is about the way there; status is what prontod thinks.
func Ask(ctx context.Context, dir, method, path string) (body []byte, status int, err error) {
	return exchange(ctx, dir, method, path, nil)
}

// Order posts a value as JSON to prontod. The error is about the way there; status is what prontod thinks.
func Order(ctx context.Context, dir, path string, v any) (body []byte, status int, err error) {
	content, err := json.Marshal(v)
	if err != nil {
		return nil, 0, fmt.Errorf("order %s: %w", path, err)
	}
	return exchange(ctx, dir, http.MethodPost, path, bytes.NewReader(content))
}

func exchange(ctx context.Context, dir, method, path string, content io.Reader) (body []byte, status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://prontod"+path, content)
	if err != nil {
		return nil, 0, err
	}
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", Path(dir))
		},
	}}
	res, err := client.Do(req)
	if err != nil {
		return nil, 0, fmt.Errorf("prontod does not answer: %w", err)
	}
	defer res.Body.Close()
	body, err = io.ReadAll(io.LimitReader(res.Body, most))
	return body, res.StatusCode, err
}

// Uptime is how long the kernel has been running. It never jumps with the wall clock, so that one
// process can tell another a moment.
func Uptime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
