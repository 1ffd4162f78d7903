// Package dnstest is a name server of a few records, for tests. It speaks UDP and TCP.
package dnstest

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

const typeNAPTR dnsmessage.Type = 35

// Server answers from its records. Its methods are safe from any goroutine.
type Server struct {
	Addr netip.AddrPort

	mu       sync.Mutex
	records  map[string][]dnsmessage.Resource
	asked    []string // "A name"
	rcode    dnsmessage.RCode
	silent   bool
	truncate bool
}

// New starts a server on a free port of an address such as "127.0.0.53"; it ends with the test.
func New(t testing.TB, ip string) *Server {
	t.Helper()
	return At(t, netip.AddrPortFrom(netip.MustParseAddr(ip), 0))
}

// At is New on a port of the caller's choice.
func At(t testing.TB, addr netip.AddrPort) *Server {
	t.Helper()
	s := &Server{records: map[string][]dnsmessage.Resource{}}
	udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr))
	if err != nil {
		t.Fatal(err)
	}
	s.Addr = udp.LocalAddr().(*net.UDPAddr).AddrPort()
	tcp, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(s.Addr))
	if err != nil {
		_ = udp.Close()
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { s.serveUDP(udp) })
	wg.Go(func() { s.serveTCP(tcp) })
	t.Cleanup(func() {
		_ = udp.Close()
		_ = tcp.Close()
		wg.Wait()
	})
	return s
}

// Addrs sets the A and AAAA records of a name; ttl is in seconds.
func (s *Server) Addrs(name string, ttl uint32, addrs ...string) {
	var four, six []dnsmessage.Resource
	for _, text := range addrs {
		a := netip.MustParseAddr(text)
		if a.Is4() {
			four = append(four, record(name, dnsmessage.TypeA, ttl, &dnsmessage.AResource{A: a.As4()}))
		} else {
			six = append(six, record(name, dnsmessage.TypeAAAA, ttl, &dnsmessage.AAAAResource{AAAA: a.As16()}))
		}
	}
	s.set("A "+name, four)
	s.set("AAAA "+name, six)
}

// SRV adds a server of a service such as "_sip._udp.example.net".
func (s *Server) SRV(name string, ttl uint32, priority, weight, port uint16, target string) {
	s.add("SRV "+name, record(name, dnsmessage.TypeSRV, ttl,
		&dnsmessage.SRVResource{Priority: priority, Weight: weight, Port: port, Target: dnsmessage.MustNewName(target + ".")}))
}

// NAPTR adds a rule with the flag "s" whose replacement is the name of SRV records.
func (s *Server) NAPTR(name string, ttl uint32, order, preference uint16, service, replacement string) {
	d := binary.BigEndian.AppendUint16(nil, order)
	d = binary.BigEndian.AppendUint16(d, preference)
	for _, text := range []string{"s", service, ""} {
		d = append(append(d, byte(len(text))), text...)
	}
	for label := range strings.SplitSeq(replacement, ".") {
		d = append(append(d, byte(len(label))), label...)
	}
	s.add("NAPTR "+name, record(name, typeNAPTR, ttl, &dnsmessage.UnknownResource{Type: typeNAPTR, Data: append(d, 0)}))
}

// Remove forgets the records of a type and name, such as "SRV _sip._udp.example.net".
func (s *Server) Remove(key string) { s.set(key, nil) }

// Fail makes the server answer every question with this code.
func (s *Server) Fail(code dnsmessage.RCode) { s.mu.Lock(); s.rcode = code; s.mu.Unlock() }

// Silence makes the server answer nothing, or speak again.
func (s *Server) Silence(on bool) { s.mu.Lock(); s.silent = on; s.mu.Unlock() }

// Truncate makes the server answer over UDP only that it did not fit.
func (s *Server) Truncate(on bool) { s.mu.Lock(); s.truncate = on; s.mu.Unlock() }

// Asked returns the questions since the last call, such as "A example.net", sorted.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	slices.Sort(asked)
	return asked
}

func record(name string, kind dnsmessage.Type, ttl uint32, body dnsmessage.ResourceBody) dnsmessage.Resource {
	return dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name + "."), Type: kind, Class: dnsmessage.ClassINET, TTL: ttl},
		Body:   body,
	}
}

func (s *Server) set(key string, r []dnsmessage.Resource) {
	s.mu.Lock()
	s.records[key] = r
	s.mu.Unlock()
}

func (s *Server) add(key string, r dnsmessage.Resource) {
	s.mu.Lock()
	s.records[key] = append(s.records[key], r)
	s.mu.Unlock()
}

func (s *Server) serveUDP(conn *net.UDPConn) {
	buf := make([]byte, 4096)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if reply := s.reply(buf[:n], true); reply != nil {
			_, _ = conn.WriteToUDPAddrPort(reply, from)
		}
	}
}

func (s *Server) serveTCP(ln *net.TCPListener) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		var length [2]byte
		if _, err := io.ReadFull(conn, length[:]); err == nil {
			raw := make([]byte, binary.BigEndian.Uint16(length[:]))
			if _, err := io.ReadFull(conn, raw); err == nil {
				if reply := s.reply(raw, false); reply != nil {
					_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
				}
			}
		}
		_ = conn.Close()
	}
}

func (s *Server) reply(raw []byte, udp bool) []byte {
	var q dnsmessage.Message
	if q.Unpack(raw) != nil || len(q.Questions) != 1 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	kind := strings.TrimPrefix(q.Questions[0].Type.String(), "Type")
	if q.Questions[0].Type == typeNAPTR {
		kind = "NAPTR"
	}
	name := strings.ToLower(strings.TrimSuffix(q.Questions[0].Name.String(), "."))
	s.asked = append(s.asked, kind+" "+name)
	if s.silent {
		return nil
	}
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: q.ID, Response: true, RecursionAvailable: true, RCode: s.rcode, Truncated: s.truncate && udp},
		Questions: q.Questions,
	}
	if s.rcode == dnsmessage.RCodeSuccess && !m.Truncated {
		m.Answers = s.records[kind+" "+name]
	}
	out, err := m.Pack()
	if err != nil {
		return nil
	}
	return out
}
