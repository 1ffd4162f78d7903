package media

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"
)

// pair is the RTP socket of a leg and the RTCP socket one port above.
type pair struct {
	rtp, rtcp *socket
}

// sockets opens and closes pairs on the ports of a pool.
type sockets struct {
	bind   netip.Addr
	ports  *portPool
	keeper SocketKeeper
	dscp   int // 0: none
}

// bindTries bounds how many ports held by other programs are skipped before giving up.
const bindTries = 64

// open binds the next free pair. A port that another program holds goes to the end of the pool.
func (s *sockets) open(now time.Time) (pair, error) {
	var last error
	for range bindTries {
		port, ok := s.ports.take(now)
		if !ok {
			break
		}
		p, err := s.openAt(port)
		if err == nil {
			return p, nil
		}
		last = err
		s.ports.release(port, now)
	}
	if last != nil {
		return pair{}, fmt.Errorf("%w: %w", ErrNoPorts, last)
	}
	return pair{}, ErrNoPorts
}

// reopen takes back the pair of a restored leg.
func (s *sockets) reopen(port uint16, now time.Time) (pair, error) {
	if !s.ports.claim(port, now) {
		return pair{}, fmt.Errorf("RTP port %d is in use or outside the range", port)
	}
	p, err := s.openAt(port)
	if err != nil {
		s.ports.release(port, now)
	}
	return p, err
}

func (s *sockets) openAt(port uint16) (pair, error) {
	rtp, err := s.socket("rtp-", port)
	if err != nil {
		return pair{}, err
	}
	rtcp, err := s.socket("rtcp-", port+1)
	if err != nil {
		rtp.close()
		return pair{}, err
	}
	_, _ = rtp.mark(s.dscp), rtcp.mark(s.dscp) // an unmarked call is better than none
	return pair{rtp, rtcp}, nil
}

// socket takes a kept socket by its name or binds a new one.
func (s *sockets) socket(prefix string, port uint16) (*socket, error) {
	if s.keeper != nil {
		if f, ok := s.keeper.Take(prefix + strconv.Itoa(int(port))); ok {
			if k, err := adoptSocket(f, port); err == nil {
				return k, nil
			}
			// A kept socket of the wrong kind is no reason to refuse a call: bind anew.
		}
	}
	return openSocket(s.bind, port)
}

// keep hands duplicates to the supervisor, so that the next process gets the same ports.
func (s *sockets) keep(p pair) error {
	if s.keeper == nil {
		return nil
	}
	if err := s.keeper.Keep("rtp-"+strconv.Itoa(int(p.rtp.port)), p.rtp); err != nil {
		return fmt.Errorf("keep RTP port %d: %w", p.rtp.port, err)
	}
	if err := s.keeper.Keep("rtcp-"+strconv.Itoa(int(p.rtcp.port)), p.rtcp); err != nil {
		return fmt.Errorf("keep RTCP port %d: %w", p.rtcp.port, err)
	}
	return nil
}

// close ends a pair for good: the supervisor forgets it and the port rests before its next use.
func (s *sockets) close(p pair, now time.Time) {
	if s.keeper != nil {
		s.keeper.Drop("rtp-" + strconv.Itoa(int(p.rtp.port)))
		s.keeper.Drop("rtcp-" + strconv.Itoa(int(p.rtcp.port)))
	}
	p.rtp.close()
	p.rtcp.close()
	s.ports.release(p.rtp.port, now)
}
