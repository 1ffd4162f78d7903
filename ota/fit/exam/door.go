package exam

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/ota/fit"
	"github.com/pronto-pbx/pronto/ota/fit/selfcall"
)

const (
	quick = 8 * time.Second // for a whole answer; the checks of the disk take up to four
	most  = 64 << 10        // bytes of an answer
)

// door is the exchange behind its socket.
type door struct {
	http http.Client
}

func newDoor(socket string) *door {
	return &door{http.Client{Timeout: quick, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}}
}

func (d *door) state(ctx context.Context) (x fit.Exchange, err error) {
	return x, d.ask(ctx, http.MethodGet, "/fit", &x)
}

func (d *door) checks(ctx context.Context) (all []fit.Check, err error) {
	return all, d.ask(ctx, http.MethodPost, "/fit/check", &all)
}

func (d *door) account(ctx context.Context) (a selfcall.Account, err error) {
	if err = d.ask(ctx, http.MethodPost, "/fit/call", &a); err == nil && (!a.Address.IsValid() || !a.Media.IsValid() || a.Number == "") {
		err = errors.New("the exchange does not say where it is called")
	}
	return a, err
}

func (d *door) ask(ctx context.Context, method, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://prontod"+path, nil)
	if err != nil {
		return err
	}
	res, err := d.http.Do(req)
	if err != nil {
		return fmt.Errorf("the exchange does not answer: %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, most))
	if err != nil {
		return fmt.Errorf("the exchange does not answer: %w", err)
	}
	return decode(res.StatusCode, text, into)
}

// decode reads an answer.
func decode(status int, text []byte, into any) error {
	if status != http.StatusOK {
		return fmt.Errorf("the exchange answers %d: %s", status, strings.TrimSpace(string(text[:min(len(text), 200)])))
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("the answer of the exchange: %w", err)
	}
	return nil
}

// look asks the page whether it is there. Its certificate is the box's own, and nobody stands between the box and
// itself; an address elsewhere is not asked.
func look(ctx context.Context, at string) error {
	u, err := url.Parse(at)
	if err != nil {
		return fmt.Errorf("the page: %w", err)
	}
	if a, err := netip.ParseAddr(u.Hostname()); err != nil || !ours(a) {
		return fmt.Errorf("the page is said to be at %s, which is not this machine", u.Host)
	}
	client := http.Client{
		Timeout:       quick,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return fmt.Errorf("the page: %w", err)
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("the page does not answer: %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, most))
	if err != nil || res.StatusCode != http.StatusOK {
		return fmt.Errorf("the page answers %d: %s", res.StatusCode, strings.TrimSpace(string(text[:min(len(text), 200)])))
	}
	return nil
}

// ours reports that an address is of this machine.
func ours(a netip.Addr) bool {
	if a.IsLoopback() {
		return true
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, own := range all {
		if p, err := netip.ParsePrefix(own.String()); err == nil && p.Addr() == a {
			return true
		}
	}
	return false
}
