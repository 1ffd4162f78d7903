package trace

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/trace/capture"
)

// The blocks of a pcapng file (draft-ietf-opsawg-pcapng): one section, one interface of raw IP packets with times in
// nanoseconds, one packet for each message.
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 6

	byteOrder  = 0x1a2b3c4d
	linkRaw    = 101 // LINKTYPE_RAW: an IP header comes first
	optEnd     = 0
	optComment = 1
	optTSResol = 9

	headerIPv4, headerIPv6, headerUDP = 20, 40, 8
	// longestPacket is what an IP packet can hold of a message; of a longer one the beginning is written.
	longestPacket = 0xffff - headerIPv4 - headerUDP
)

// datagram is a UDP packet of a capture, with what is said of it.
type datagram struct {
	at       time.Time
	from, to netip.AddrPort
	payload  []byte
	comment  string
}

// WritePcapng writes messages, and RTP packets where there are some, for programs that read captures, in the order of
// their times. Each message becomes one UDP packet, also one that came over TCP or TLS, as a comment of the packet
// says then: what is remembered are messages, not segments. Packets that were SRTP are written as the RTP that was in
// them, which a comment says as well, like what is covered. Local is our address towards a remote one; nil, or none:
// the unspecified one.
func WritePcapng(w io.Writer, dialogs []Dialog, sound []capture.Packet, local func(remote netip.AddrPort) netip.Addr) error {
	var all []datagram
	for _, d := range dialogs {
		for _, m := range d.Messages {
			x := datagram{at: m.At, from: m.Remote, to: m.Local, payload: m.Text}
			if m.Out {
				x.from, x.to = x.to, x.from
			}
			if m.Transport != "udp" {
				x.comment = m.Transport
			}
			all = append(all, x)
		}
	}
	for _, p := range sound {
		all = append(all, soundOf(&p, local))
	}
	slices.SortStableFunc(all, func(a, b datagram) int { return a.at.Compare(b.at) })
	if err := writeHeads(w); err != nil {
		return fmt.Errorf("write a capture: %w", err)
	}
	now := time.Now()
	for _, x := range all {
		// By the clock of now: of a box without a battery it may have been set since.
		ns := uint64(max(0, now.Add(x.at.Sub(now)).UnixNano()))
		packet := ipPacket(&x)
		n := uint32(len(packet))
		body := le32(nil, 0, uint32(ns>>32), uint32(ns), n, n)
		body = padded(append(body, packet...))
		if x.comment != "" {
			body = option(body, optComment, []byte(x.comment))
			body = option(body, optEnd, nil)
		}
		if err := block(w, blockPacket, body); err != nil {
			return fmt.Errorf("write a capture: %w", err)
		}
	}
	return nil
}

// soundOf is a packet of RTP or RTCP as a capture has it.
func soundOf(p *capture.Packet, local func(netip.AddrPort) netip.Addr) datagram {
	host := netip.IPv4Unspecified()
	if p.Remote.Addr().Is6() {
		host = netip.IPv6Unspecified()
	}
	if local != nil {
		if a := local(p.Remote).Unmap(); a.IsValid() && a.Is4() == p.Remote.Addr().Is4() {
			host = a
		}
	}
	x := datagram{at: p.At, from: p.Remote, to: netip.AddrPortFrom(host, p.LocalPort), payload: p.Bytes}
	if p.Out {
		x.from, x.to = x.to, x.from
	}
	var said []string
	if p.Secured {
		said = append(said, "SRTP, decrypted")
	}
	if p.Covered != capture.Whole {
		said = append(said, p.Covered.String())
	}
	x.comment = strings.Join(said, "; ")
	return x
}

func writeHeads(w io.Writer) error {
	section := le32(nil, byteOrder)
	section = le16(section, 1, 0)                   // version 1.0
	section = le32(section, 0xffffffff, 0xffffffff) // length unknown
	if err := block(w, blockSection, section); err != nil {
		return err
	}
	face := le16(nil, linkRaw, 0)
	face = le32(face, 0) // no limit of length
	face = option(face, optTSResol, []byte{9})
	face = option(face, optEnd, nil)
	return block(w, blockInterface, face)
}

func block(w io.Writer, kind uint32, body []byte) error {
	n := uint32(len(body) + 12)
	b := le32(nil, kind, n)
	b = append(b, body...)
	_, err := w.Write(le32(b, n))
	return err
}

func option(b []byte, code uint16, value []byte) []byte {
	return padded(append(le16(b, code, uint16(len(value))), value...))
}

func padded(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func le16(b []byte, all ...uint16) []byte {
	for _, v := range all {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	return b
}

func le32(b []byte, all ...uint32) []byte {
	for _, v := range all {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

// ipPacket wraps a datagram into UDP (RFC 768) and IP (RFC 791, 8200).
func ipPacket(x *datagram) []byte {
	text := x.payload[:min(len(x.payload), longestPacket-headerIPv6)]
	src, dst := x.from.Addr().Unmap(), x.to.Addr().Unmap()
	n := headerUDP + len(text)
	var head []byte
	switch {
	case src.Is4() && dst.Is4():
		head = binary.BigEndian.AppendUint16([]byte{0x45, 0}, uint16(headerIPv4+n))
		head = append(head, 0, 0, 0x40, 0, 64, 17, 0, 0)
		head = append(append(head, src.AsSlice()...), dst.AsSlice()...)
		binary.BigEndian.PutUint16(head[10:], ^folded(head))
	default:
		head = binary.BigEndian.AppendUint16([]byte{0x60, 0, 0, 0}, uint16(n))
		head = append(head, 17, 64)
		head = append(append(head, as16(src)...), as16(dst)...)
	}
	udp := binary.BigEndian.AppendUint16(nil, x.from.Port())
	udp = binary.BigEndian.AppendUint16(udp, x.to.Port())
	udp = binary.BigEndian.AppendUint16(udp, uint16(n))
	udp = append(append(udp, 0, 0), text...)
	pseudo := slices.Concat(as16(src), as16(dst), []byte{0, 0, byte(n >> 8), byte(n), 0, 0, 0, 17})
	if src.Is4() && dst.Is4() {
		pseudo = slices.Concat(src.AsSlice(), dst.AsSlice(), []byte{0, 17, byte(n >> 8), byte(n)})
	}
	sum := ^folded(append(pseudo, udp...))
	if sum == 0 {
		sum = 0xffff // 0 would mean: not summed
	}
	binary.BigEndian.PutUint16(udp[6:], sum)
	return append(head, udp...)
}

func as16(a netip.Addr) []byte { b := a.As16(); return b[:] }

// folded is the one's complement sum of RFC 1071.
func folded(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return uint16(sum)
}
