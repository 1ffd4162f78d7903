package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Client asks the updater. It connects for each question, and is safe for concurrent use. Refusals are *Refused.
type Client struct {
	http http.Client
}

// NewClient prepares to ask on the unix socket at path.
func NewClient(path string) *Client {
	return &Client{http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
	}}}
}

// State tells how it stands.
func (c *Client) State(ctx context.Context) (s State, err error) {
	return s, c.ask(ctx, quick, http.MethodGet, "/state", nil, &s)
}

// Check has the vendor asked now, and returns when there is an answer, which State tells.
func (c *Client) Check(ctx context.Context) error {
	return c.ask(ctx, checkFor+quick, http.MethodPost, "/check", nil, nil)
}

// Install has the release on offer installed, whatever the policy says of its time; calls are waited for.
func (c *Client) Install(ctx context.Context, version string) error {
	return c.ask(ctx, quick, http.MethodPost, "/install", install{version}, nil)
}

// Postpone has no release started before; the zero value takes that back.
func (c *Client) Postpone(ctx context.Context, until time.Time) error {
	return c.ask(ctx, quick, http.MethodPost, "/postpone", postpone{until}, nil)
}

// Set changes the owner's settings but for Postponed.
func (c *Client) Set(ctx context.Context, s Settings) error {
	return c.ask(ctx, quick, http.MethodPost, "/settings", s, nil)
}

// Seen remembers that somebody has read how the last update ended.
func (c *Client) Seen(ctx context.Context) error {
	return c.ask(ctx, quick, http.MethodPost, "/seen", nil, nil)
}

// Stick has a bundle installed that lies below the directory of sticks.
func (c *Client) Stick(ctx context.Context, path string) error {
	return c.ask(ctx, checkFor+quick, http.MethodPost, "/bundle", stick{path}, nil)
}

// Upload sends a bundle as it is read, and returns when it has been judged.
func (c *Client) Upload(ctx context.Context, bundle io.Reader) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://otad/bundle", bundle)
	if err != nil {
		return err
	}
	return c.do(req, nil)
}

func (c *Client) ask(ctx context.Context, within time.Duration, method, path string, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	content, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://otad"+path, bytes.NewReader(content))
	if err != nil {
		return err
	}
	return c.do(req, into)
}

func (c *Client) do(req *http.Request, into any) error {
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("the updater does not answer: %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, answerLimit))
	if err != nil {
		return fmt.Errorf("the updater does not answer: %w", err)
	}
	return decode(res.StatusCode, text, into)
}

// decode reads an answer: a value, or a refusal.
func decode(status int, text []byte, into any) error {
	if status != http.StatusOK {
		r := &Refused{}
		if err := json.Unmarshal(text, r); err != nil || r.Code == "" {
			return fmt.Errorf("the updater answers %d", status)
		}
		return r
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("the answer of the updater: %w", err)
	}
	return nil
}
