package dns

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	maxTTL         = 24 * time.Hour
	minTTL         = time.Second // zero would ask for each call
	maxNegativeTTL = time.Minute
	failureTTL     = 5 * time.Second // how long it is believed that no server answers
	// staleFor is how long an answer that has expired is still better than none: a name server that
	// is down must not take the trunks with it (RFC 8767).
	staleFor   = 24 * time.Hour
	maxEntries = 1024
	rounds     = 2 // how often each server is asked
)

// Config says where the answers come from; zero values mean the defaults in brackets.
type Config struct {
	Servers []netip.AddrPort // [those of ResolvConf]
	// ResolvConf and Hosts are read again when they change [/etc/resolv.conf, /etc/hosts].
	ResolvConf, Hosts string
	Timeout           time.Duration // for one server's answer [1.5 s]
}

// Client asks and remembers. It is safe for concurrent use; equal questions that are asked at the
// same time are asked once.
type Client struct {
	cfg   Config
	files files

	mu      sync.Mutex
	entries map[question]*entry
	asking  map[question]*asking
}

type question struct {
	name string // in lower case
	kind dnsmessage.Type
}

type entry struct {
	answer answer
	err    error
	until  time.Time
}

type asking struct {
	done   chan struct{}
	answer answer
	err    error
}

// New returns a client; it asks nothing yet.
func New(cfg Config) *Client {
	if cfg.ResolvConf == "" {
		cfg.ResolvConf = "/etc/resolv.conf"
	}
	if cfg.Hosts == "" {
		cfg.Hosts = "/etc/hosts"
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 1500 * time.Millisecond
	}
	return &Client{
		cfg: cfg, files: files{resolvConf: cfg.ResolvConf, hosts: cfg.Hosts},
		entries: make(map[question]*entry), asking: make(map[question]*asking),
	}
}

// NAPTR returns a name's rules, by order and preference; ErrNoRecord or ErrNoServer in the error.
func (c *Client) NAPTR(ctx context.Context, name string) ([]NAPTR, error) {
	a, err := c.look(ctx, name, typeNAPTR)
	return a.naptr, err
}

// SRV returns the servers of a service such as "_sip._udp.example.net", unordered.
func (c *Client) SRV(ctx context.Context, name string) ([]SRV, error) {
	a, err := c.look(ctx, name, dnsmessage.TypeSRV)
	return a.srv, err
}

// Addrs returns the addresses of a host, those of IPv4 first: from the hosts file, then from A and
// AAAA records. A name without a dot is looked for in the search domains of the system.
func (c *Client) Addrs(ctx context.Context, host string) ([]netip.Addr, error) {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if addrs := c.files.addrs(host); len(addrs) > 0 {
		return addrs, nil
	}
	names := []string{host}
	if !strings.Contains(host, ".") {
		for _, domain := range c.files.search() {
			names = append(names, host+"."+domain)
		}
	}
	var err error
	for _, name := range names {
		var addrs []netip.Addr
		if addrs, err = c.bothFamilies(ctx, name); err == nil {
			return addrs, nil
		}
	}
	return nil, err
}

func (c *Client) bothFamilies(ctx context.Context, name string) ([]netip.Addr, error) {
	var six answer
	var errSix error
	var wg sync.WaitGroup
	wg.Go(func() { six, errSix = c.look(ctx, name, dnsmessage.TypeAAAA) })
	four, errFour := c.look(ctx, name, dnsmessage.TypeA)
	wg.Wait()
	addrs := append(append([]netip.Addr(nil), four.addrs...), six.addrs...)
	if len(addrs) > 0 {
		return addrs, nil
	}
	if errFour == nil || errors.Is(errFour, ErrNoRecord) {
		return nil, errSix
	}
	return nil, errFour
}

// look answers from memory, or asks.
func (c *Client) look(ctx context.Context, name string, kind dnsmessage.Type) (answer, error) {
	q := question{strings.ToLower(strings.TrimSuffix(name, ".")), kind}
	c.mu.Lock()
	e := c.entries[q]
	if e != nil && time.Now().Before(e.until) {
		c.mu.Unlock()
		return e.answer, e.err
	}
	other := c.asking[q]
	if other == nil {
		mine := &asking{done: make(chan struct{})}
		c.asking[q] = mine
		c.mu.Unlock()
		mine.answer, mine.err = c.ask(ctx, q, e)
		c.mu.Lock()
		delete(c.asking, q)
		c.mu.Unlock()
		close(mine.done)
		return mine.answer, mine.err
	}
	c.mu.Unlock()
	select {
	case <-other.done:
		if other.err != nil && errors.Is(other.err, context.Canceled) && ctx.Err() == nil {
			return c.look(ctx, name, kind) // only the other one had lost patience
		}
		return other.answer, other.err
	case <-ctx.Done():
		return answer{}, fmt.Errorf("%s: %w", name, ctx.Err())
	}
}

// ask goes through the servers and remembers what they said; old is an answer that has expired.
func (c *Client) ask(ctx context.Context, q question, old *entry) (answer, error) {
	now := time.Now
	servers := c.cfg.Servers
	if len(servers) == 0 {
		servers = c.files.servers()
	}
	for range rounds {
		for _, server := range servers {
			a, v, err := c.exchange(ctx, server, q)
			if ctx.Err() != nil { // our patience says nothing about the name
				return answer{}, fmt.Errorf("%s: %w", q.name, ctx.Err())
			}
			if err != nil {
				continue
			}
			switch v {
			case useIt:
				a.ttl = max(a.ttl, minTTL)
				return a, c.remember(q, &entry{answer: a, until: now().Add(a.ttl)})
			case noRecord:
				err := fmt.Errorf("%s: %w", q.name, ErrNoRecord)
				return answer{}, c.remember(q, &entry{err: err, until: now().Add(max(a.ttl, minTTL))})
			}
		}
	}
	if old != nil && old.err == nil && now().Sub(old.until) < staleFor {
		return old.answer, nil
	}
	err := fmt.Errorf("%s: %w", q.name, ErrNoServer)
	return answer{}, c.remember(q, &entry{err: err, until: now().Add(failureTTL)})
}

func (c *Client) remember(q question, e *entry) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.entries) >= maxEntries {
		now := time.Now()
		for k, old := range c.entries {
			if old.err != nil || now.After(old.until) {
				delete(c.entries, k)
			}
		}
		if len(c.entries) >= maxEntries {
			clear(c.entries)
		}
	}
	c.entries[q] = e
	return e.err
}

// exchange asks one server over UDP, and over TCP when the answer does not fit. Each question has
// its own port and number, so that nobody off the path can answer in its place.
func (c *Client) exchange(ctx context.Context, server netip.AddrPort, q question) (answer, verdict, error) {
	id := uint16(rand.Uint32())
	raw, err := query(id, q.name, q.kind)
	if err != nil {
		return answer{}, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	reply := make([]byte, 65535)
	a, v, err := c.over(ctx, "udp", server, raw, func(conn net.Conn) (answer, verdict, error) {
		for {
			n, err := conn.Read(reply)
			if err != nil {
				return answer{}, 0, err
			}
			if a, v := parse(reply[:n], id, q.name, q.kind); v != notTheReply {
				return a, v, nil
			}
		}
	})
	if err != nil || v != truncated {
		return a, v, err
	}
	framed := append(binary.BigEndian.AppendUint16(nil, uint16(len(raw))), raw...)
	return c.over(ctx, "tcp", server, framed, func(conn net.Conn) (answer, verdict, error) {
		var length [2]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return answer{}, 0, err
		}
		whole := reply[:binary.BigEndian.Uint16(length[:])]
		if _, err := io.ReadFull(conn, whole); err != nil {
			return answer{}, 0, err
		}
		a, v := parse(whole, id, q.name, q.kind)
		return a, v, nil
	})
}

// over sends a question on a connection of its own and has the reply read.
func (c *Client) over(ctx context.Context, network string, server netip.AddrPort, raw []byte, read func(net.Conn) (answer, verdict, error)) (answer, verdict, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, server.String())
	if err != nil {
		return answer{}, 0, err
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := conn.Write(raw); err != nil {
		return answer{}, 0, err
	}
	return read(conn)
}
