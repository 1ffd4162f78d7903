package gate

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

// Client asks the first program. It connects for each question, and is safe for concurrent use.
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

// Network tells how it stands with the network.
func (c *Client) Network(ctx context.Context) (n Network, err error) {
	return n, c.ask(ctx, quick, http.MethodGet, "/network", nil, &n)
}

// Try puts a choice in force until it is confirmed or its time is over. Who has the token can confirm it. It takes
// some seconds, in which the first program asks whether the address is free. Refusals are Refused.
func (c *Client) Try(ctx context.Context, x Choice) (token string, err error) {
	return token, c.ask(ctx, tryFor+quick, http.MethodPost, "/network/try", x, &token)
}

// Confirm keeps the choice on trial.
func (c *Client) Confirm(ctx context.Context, token string) error {
	return c.ask(ctx, quick, http.MethodPost, "/network/confirm", token, nil)
}

// Recall takes the choice on trial back.
func (c *Client) Recall(ctx context.Context) error {
	return c.ask(ctx, quick, http.MethodPost, "/network/recall", nil, nil)
}

// Killed lists the programs that the kernel has ended since the box was switched on, because they wanted more memory
// than they may have.
func (c *Client) Killed(ctx context.Context) (all []Kill, err error) {
	return all, c.ask(ctx, quick, http.MethodGet, "/killed", nil, &all)
}

// Restart starts the box anew.
func (c *Client) Restart(ctx context.Context) error {
	return c.ask(ctx, quick, http.MethodPost, "/restart", nil, nil)
}

func (c *Client) ask(ctx context.Context, within time.Duration, method, path string, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	content, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://prontoinit"+path, bytes.NewReader(content))
	if err != nil {
		return err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("the first program does not answer: %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, answerLimit))
	if err != nil {
		return fmt.Errorf("the first program does not answer: %w", err)
	}
	return decode(res.StatusCode, text, into)
}

// decode reads an answer: a value, or a refusal.
func decode(status int, text []byte, into any) error {
	if status != http.StatusOK {
		r := &Refused{}
		if err := json.Unmarshal(text, r); err != nil || r.Code == "" {
			return fmt.Errorf("the first program answers %d", status)
		}
		return r
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("the answer of the first program: %w", err)
	}
	return nil
}
