package trust

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Server is the mirror behind an address: any web server that hands out files.
type Server struct {
	base   *url.URL
	client *http.Client
}

// maxRedirects bounds how often a server may send us on.
const maxRedirects = 5

// NewServer takes the address of a repository, as https://updates.example.org/pronto, and how to reach it; rt nil: as
// DefaultTransport does. Plain http is taken too: what comes is believed for its signatures, and a mirror in a
// building has no certificate.
func NewServer(base string, rt http.RoundTripper) (*Server, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("address of updates %q: https://host/path is one", base)
	}
	if rt == nil {
		rt = transport()
	}
	return &Server{u, &http.Client{Transport: rt, CheckRedirect: redirect}}, nil
}

// transport has limits for all that a server can keep us waiting for; what it sends is watched by who reads.
func transport() http.RoundTripper {
	return &http.Transport{
		TLSHandshakeTimeout: 15 * time.Second, ResponseHeaderTimeout: stall, IdleConnTimeout: 30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10, DisableCompression: true, MaxIdleConns: 2, ForceAttemptHTTP2: true,
	}
}

// redirect follows a few times, and never from https to http.
func redirect(next *http.Request, before []*http.Request) error {
	if len(before) > maxRedirects {
		return fmt.Errorf("redirected more than %d times", maxRedirects)
	}
	if next.URL.Scheme != "https" && before[0].URL.Scheme == "https" {
		return errors.New("redirected to a place without TLS")
	}
	return nil
}

// Close lets go of idle connections.
func (s *Server) Close() { s.client.CloseIdleConnections() }

// Open implements Mirror. A server that does not know ranges sends the whole, of which the beginning is passed over.
func (s *Server) Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
	ctx, stop := context.WithCancelCause(ctx)
	alarm := newAlarm(stop)
	body, skipped, err := s.request(ctx, name, offset)
	alarm.Stop()
	if err != nil {
		stop(nil)
		return nil, err
	}
	w := &watched{ctx: ctx, stop: stop, body: body, alarm: alarm}
	if _, err := io.CopyN(io.Discard, w, skipped); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s: %w", ErrUnreachable, name, err), w.Close())
	}
	return w, nil
}

// request asks for a file, and says how many bytes of the body come before the offset.
func (s *Server) request(ctx context.Context, name string, offset int64) (body io.ReadCloser, before int64, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base.JoinPath(name).String(), nil)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	if offset > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrUnreachable, because(ctx, err))
	}
	switch {
	case response.StatusCode == http.StatusOK:
		return response.Body, offset, nil
	case response.StatusCode == http.StatusNotFound || response.StatusCode == http.StatusGone:
		err = fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	case response.StatusCode != http.StatusPartialContent || offset == 0:
		err = fmt.Errorf("%w: %s: %s", ErrUnreachable, name, response.Status)
	default:
		r := response.Header.Get("Content-Range")
		if strings.HasPrefix(r, fmt.Sprintf("bytes %d-", offset)) {
			return response.Body, 0, nil
		}
		err = fmt.Errorf("%w: %s: asked for bytes from %d on, got %q", ErrUnreachable, name, offset, r)
	}
	return nil, 0, errors.Join(err, response.Body.Close())
}
