package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
)

// Client reaches the process that makes the backups. It connects for each question, and is safe for concurrent use.
type Client struct {
	http http.Client
}

// NewClient prepares to ask on the unix socket at path.
func NewClient(path string) *Client {
	return &Client{http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
	}}}
}

// State tells how it stands with the backups.
func (c *Client) State(ctx context.Context) (st State, err error) {
	return st, c.ask(ctx, quick, http.MethodGet, "/state", nil, &st)
}

// Now has a backup made, and does not wait for it.
func (c *Client) Now(ctx context.Context) error {
	return c.ask(ctx, quick, http.MethodPost, "/now", nil, nil)
}

// Try writes something into a place, reads it back and removes it. An error of the place is ErrRefused.
func (c *Client) Try(ctx context.Context, to config.Backup) error {
	return c.ask(ctx, slow+quick, http.MethodPost, "/try", to, nil)
}

// List tells the backups in the place that the configuration names, the newest first.
func (c *Client) List(ctx context.Context) (all []Copy, err error) {
	return all, c.ask(ctx, slow, http.MethodGet, "/list", nil, &all)
}

// Copy reads a backup out of the place that the configuration names, encrypted as it lies there.
func (c *Client) Copy(ctx context.Context, name string) (io.ReadCloser, error) {
	res, err := c.send(ctx, http.MethodGet, "/copy?name="+url.QueryEscape(name), nil)
	if err != nil {
		return nil, err
	}
	return res.Body, nil
}

func (c *Client) ask(ctx context.Context, within time.Duration, method, path string, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	res, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, listLimit)).Decode(into); err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return nil
}

func (c *Client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	content, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://recordd"+path, bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer res.Body.Close()
	said, err := io.ReadAll(io.LimitReader(res.Body, bodyLimit))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	return nil, fmt.Errorf("%w: %s", ErrRefused, strings.TrimSpace(string(said)))
}
