package useragent

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The transports.
const (
	UDP = "udp"
	TCP = "tcp"
)

// maxMessage is the longest message that is read over TCP.
const maxMessage = 64 << 10

// dial connects to the server. Connected UDP sockets know their own address, and hear when nobody listens.
func dial(ctx context.Context, transport string, bind netip.Addr, server netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{Timeout: Patience}
	if transport == TCP {
		if bind.IsValid() {
			d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(bind, 0))
		}
		return d.DialContext(ctx, TCP, server.String())
	}
	if bind.IsValid() {
		d.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(bind, 0))
	}
	conn, err := d.DialContext(ctx, UDP, server.String())
	if err != nil {
		return nil, err
	}
	u := conn.(*net.UDPConn)
	_ = u.SetReadBuffer(4 << 20)
	if err := stampArrivals(u); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// stampArrivals lets the kernel write down when each datagram came, so that a phone that is late to
// read does not make the server look slow.
func stampArrivals(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = raw.Control(func(fd uintptr) { set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1) })
	return errors.Join(err, set)
}

// arrivalOf reads the kernel's stamp.
func arrivalOf(oob []byte) time.Time {
	all, err := syscall.ParseSocketControlMessage(oob)
	if err != nil || len(all) == 0 || len(all[0].Data) < 8 {
		return time.Now()
	}
	d := all[0].Data
	if len(d) >= 16 {
		return time.Unix(int64(binary.NativeEndian.Uint64(d)), int64(binary.NativeEndian.Uint64(d[8:])))
	}
	return time.Unix(int64(binary.NativeEndian.Uint32(d)), int64(binary.NativeEndian.Uint32(d[4:])))
}

// readDatagrams takes what comes over UDP until the socket is closed.
func (p *Phone) readDatagrams(conn *net.UDPConn) {
	buf, oob := make([]byte, 65535), make([]byte, 128)
	for {
		n, oobn, _, _, err := conn.ReadMsgUDPAddrPort(buf, oob)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case errors.Is(err, syscall.ECONNREFUSED):
			p.nobodyListens()
		case err == nil:
			p.arrived(buf[:n], arrivalOf(oob[:oobn]))
		}
	}
}

// readStream takes what comes over TCP until the connection ends.
func (p *Phone) readStream(conn net.Conn) {
	r := bufio.NewReaderSize(conn, maxMessage)
	for {
		m, err := readFrame(r)
		if err != nil {
			p.lost()
			return
		}
		p.arrived(m, time.Now())
	}
}

// readFrame reads one message, as long as its Content-Length says (RFC 3261 section 18.3).
func readFrame(r *bufio.Reader) ([]byte, error) {
	var head strings.Builder
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" {
			if head.Len() == 0 {
				continue // keep-alive
			}
			break
		}
		if name, v, _ := strings.Cut(text, ":"); strings.EqualFold(strings.TrimSpace(name), "Content-Length") || strings.EqualFold(strings.TrimSpace(name), "l") {
			if length, err = strconv.Atoi(strings.TrimSpace(v)); err != nil || length < 0 {
				return nil, fmt.Errorf("Content-Length %q", v)
			}
		}
		head.WriteString(text + "\r\n")
		if head.Len()+length > maxMessage {
			return nil, errors.New("a message that is too long")
		}
	}
	head.WriteString("\r\n")
	m := make([]byte, head.Len()+length)
	copy(m, head.String())
	_, err := io.ReadFull(r, m[head.Len():])
	return m, err
}
