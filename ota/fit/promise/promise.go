// Package promise is the way to the exchange of who restarts its box. A look at the calls is out of date when it is told;
// so the exchange promises, for seconds, that nothing begins any more:
//
//  1. the updater asks for a promise: from then on calls are refused, but calls for help, which end the promise;
//  2. the first program of the box remembers what it is about to do, which takes a disk a while, and then says that it
//     leaves, in the name of that promise. Where that is over, or somebody has called for help, it does not restart;
//  3. a promise of which nothing came is given back; and of whoever died in between it is over by itself.
package promise

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/ota/fit"
)

// Lasts is for how long an updater asks: what it then writes to a card may take seconds. Callers who are refused
// meanwhile would find a box that starts.
const Lasts = 30 * time.Second

const (
	quick = 8 * time.Second // for a whole answer
	most  = 16 << 10        // bytes of one
)

// ErrNone is returned when the box must not restart: no such promise stands.
var ErrNone = errors.New("the exchange has given no such promise, its time is over, or somebody calls for help")

// Client asks the exchange on its unix socket. It is safe for concurrent use.
type Client struct{ http http.Client }

// New prepares to ask.
func New(socket string) *Client {
	return &Client{http.Client{Timeout: quick, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}}
}

// Wish is the body of the question for a promise.
type Wish struct {
	For      time.Duration `json:"for"`       // in nanoseconds
	EndCalls bool          `json:"end_calls"` // calls that are up may be ended by the restart, emergency calls never
}

// Token is the name of a promise.
type Token struct {
	Token string `json:"token"`
}

// Promise has nothing begin for a while. Where there are calls, busy is not quiet and no promise is given.
func (c *Client) Promise(ctx context.Context, w Wish) (token string, busy fit.Busy, err error) {
	status, text, err := c.ask(ctx, "/fit/promise", w)
	if err != nil {
		return "", busy, err
	}
	if status == http.StatusConflict {
		return "", engaged(text), nil
	}
	var t Token
	if err := decode(status, text, &t); err != nil {
		return "", busy, err
	}
	if t.Token == "" {
		return "", busy, errors.New("the exchange promises nothing")
	}
	return t.Token, busy, nil
}

// engaged is who is on the phone. It has said no, so whatever else it says, it means calls.
func engaged(text []byte) (busy fit.Busy) {
	if json.Unmarshal(text, &busy) != nil || busy.Quiet() {
		return fit.Busy{Calls: 1}
	}
	return busy
}

// Leave says that the box restarts now. ErrNone: it must not.
func (c *Client) Leave(ctx context.Context, token string) error {
	status, text, err := c.ask(ctx, "/fit/leave", Token{token})
	switch {
	case err != nil:
		return err
	case status == http.StatusConflict:
		return ErrNone
	}
	return decode(status, text, nil)
}

// Withdraw gives a promise back, of which nothing came.
func (c *Client) Withdraw(ctx context.Context, token string) error {
	status, text, err := c.ask(ctx, "/fit/withdraw", Token{token})
	if err != nil {
		return err
	}
	return decode(status, text, nil)
}

// Drain has the queues take no new callers for a while; whoever waits is served.
func (c *Client) Drain(ctx context.Context, lasts time.Duration) error {
	status, text, err := c.ask(ctx, "/fit/drain", Wish{For: lasts})
	if err != nil {
		return err
	}
	return decode(status, text, nil)
}

func (c *Client) ask(ctx context.Context, path string, body any) (status int, answer []byte, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://prontod"+path, bytes.NewReader(text))
	if err != nil {
		return 0, nil, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("the exchange does not answer: %w", err)
	}
	defer res.Body.Close()
	if answer, err = io.ReadAll(io.LimitReader(res.Body, most)); err != nil {
		return 0, nil, fmt.Errorf("the exchange does not answer: %w", err)
	}
	return res.StatusCode, answer, nil
}

// decode reads an answer into what it is to be; nil: nothing is to be read.
func decode(status int, text []byte, into any) error {
	if status != http.StatusOK {
		return fmt.Errorf("the exchange answers %d: %s", status, strings.TrimSpace(string(text[:min(len(text), 200)])))
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("the answer of the exchange: %w", err)
	}
	return nil
}
