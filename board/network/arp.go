package network

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/mdlayher/packet"
)

// Address resolution (RFC 826) for the two questions of RFC 5227: does anybody have this address, and I have
// it now.
const (
	etherARP  = 0x0806
	arpLength = 28
	arpAsk    = 1
)

// Times of RFC 5227 section 1.1.
const (
	probes       = 3
	probeEvery   = 1500 * time.Millisecond // between PROBE_MIN and PROBE_MAX
	announceWait = 2 * time.Second
	announces    = 2
)

// arp is a packet for IPv4 on Ethernet.
type arp struct {
	from   [6]byte
	sender netip.Addr // unspecified in a probe
	target netip.Addr
}

// question asks who has the target.
func (a arp) question() []byte {
	b := make([]byte, arpLength)
	binary.BigEndian.PutUint16(b[0:], 1)      // Ethernet
	binary.BigEndian.PutUint16(b[2:], 0x0800) // IPv4
	b[4], b[5] = 6, 4
	binary.BigEndian.PutUint16(b[6:], arpAsk)
	copy(b[8:], a.from[:])
	sender, target := a.sender.As4(), a.target.As4()
	copy(b[14:], sender[:])
	copy(b[24:], target[:])
	return b
}

// readARP reads a packet, a question or an answer; false for what is not IPv4 on Ethernet.
func readARP(b []byte) (a arp, ok bool) {
	if len(b) < arpLength || binary.BigEndian.Uint16(b) != 1 || binary.BigEndian.Uint16(b[2:]) != 0x0800 || b[4] != 6 || b[5] != 4 {
		return a, false
	}
	copy(a.from[:], b[8:14])
	a.sender, a.target = netip.AddrFrom4([4]byte(b[14:18])), netip.AddrFrom4([4]byte(b[24:28]))
	return a, true
}

// claims tells whether another interface has the address, or is asking for it at the same time (RFC 5227
// section 2.1.1).
func (a arp) claims(addr netip.Addr, own [6]byte) bool {
	return a.from != own && (a.sender == addr || a.sender.IsUnspecified() && a.target == addr)
}

// askFor tells whether the address is free in the network of the interface.
func askFor(ctx context.Context, ifi *net.Interface, addr netip.Addr) (bool, error) {
	conn, err := packet.Listen(ifi, packet.Datagram, etherARP, nil)
	if err != nil {
		return false, fmt.Errorf("ask for %v: %w", addr, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	own := [6]byte(ifi.HardwareAddr)
	for range probes {
		if _, err := conn.WriteTo(arp{from: own, sender: netip.IPv4Unspecified(), target: addr}.question(), everybody()); err != nil {
			return false, fmt.Errorf("ask for %v: %w", addr, err)
		}
		if taken, err := hear(conn, addr, own, time.Now().Add(probeEvery)); taken || err != nil {
			return false, err
		}
	}
	if taken, err := hear(conn, addr, own, time.Now().Add(announceWait)); taken || err != nil {
		return false, err
	}
	for range announces {
		if _, err := conn.WriteTo(arp{from: own, sender: addr, target: addr}.question(), everybody()); err != nil {
			return false, fmt.Errorf("announce %v: %w", addr, err)
		}
	}
	return true, nil
}

// uses tells whether another interface uses the address (RFC 3927 section 2.5).
func (a arp) uses(addr netip.Addr, own [6]byte) bool { return a.from != own && a.sender == addr }

// announce says that an address is ours.
func announce(ifi *net.Interface, addr netip.Addr) error {
	conn, err := packet.Listen(ifi, packet.Datagram, etherARP, nil)
	if err != nil {
		return fmt.Errorf("announce %v: %w", addr, err)
	}
	own := [6]byte(ifi.HardwareAddr)
	_, err = conn.WriteTo(arp{from: own, sender: addr, target: addr}.question(), everybody())
	if err := errors.Join(err, conn.Close()); err != nil {
		return fmt.Errorf("announce %v: %w", addr, err)
	}
	return nil
}

func everybody() *packet.Addr {
	return &packet.Addr{HardwareAddr: net.HardwareAddr{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}}
}

// guard listens until ctx ends, and calls each time that another interface uses the address.
func guard(ctx context.Context, ifi *net.Interface, addr netip.Addr, each func()) error {
	conn, err := packet.Listen(ifi, packet.Datagram, etherARP, nil)
	if err != nil {
		return fmt.Errorf("guard %v: %w", addr, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	own, b := [6]byte(ifi.HardwareAddr), make([]byte, 256)
	for {
		n, _, err := conn.ReadFrom(b)
		if ctx.Err() != nil {
			return nil
		} else if err != nil {
			return fmt.Errorf("guard %v: %w", addr, err)
		}
		if a, ok := readARP(b[:n]); ok && a.uses(addr, own) {
			each()
		}
	}
}

func hear(conn *packet.Conn, addr netip.Addr, own [6]byte, until time.Time) (taken bool, err error) {
	if err := conn.SetReadDeadline(until); err != nil {
		return false, fmt.Errorf("hear of %v: %w", addr, err)
	}
	b := make([]byte, 256)
	for {
		n, _, err := conn.ReadFrom(b)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return false, nil
		} else if err != nil {
			return false, fmt.Errorf("hear of %v: %w", addr, err)
		}
		if a, ok := readARP(b[:n]); ok && a.claims(addr, own) {
			return true, nil
		}
	}
}
